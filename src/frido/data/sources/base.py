"""What `pack` knows of a source."""

from abc import ABC, abstractmethod
from typing import Any

from frido.contracts.scene import Scene, Vocabulary

SPLITS = ("train", "val", "test")


class Source(ABC):
    """Annotated images by split and index. Picklable, since packing processes read it, and free of torch.

    Scenes are pure functions of `(split, index)`; ids are unique over all splits and hold no dots.
    """

    licence: str
    """Of annotations and images, in a sentence; stored with what is packed."""

    origin: str
    """Where the data comes from: a name and an address, stored with what is packed."""

    @property
    @abstractmethod
    def vocabulary(self) -> Vocabulary:
        """Return every word that a scene of any split can hold."""

    @abstractmethod
    def count(self, split: str) -> int:
        """Return the number of scenes of "train", "val" or "test" that its filters keep; 0 for an empty split."""

    @abstractmethod
    def scene(self, split: str, index: int) -> Scene:
        """Return a scene with its image as the source holds it; `width` and `height` are of the upright image."""

    def file(self, split: str, index: int) -> str:
        """Return a scene's image file as a path below the source's root; empty where it is made otherwise."""
        return ""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return what decides the scenes, as plain JSON types; paths are named without their folders."""

    def filters(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return, by split and step, how many images, objects and relationships there were at first ("read"), each
        filter dropped, and are left ("kept"); empty where nothing is filtered."""
        return {}
