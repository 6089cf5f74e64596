"""What a recipe leaves out of a published dataset: one small class for each rule, applied in the order of its YAML."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from frido.contracts.scene import Object, Relationship, Scene, Vocabulary


@dataclass(frozen=True, slots=True)
class NamedObject(Object):
    """An object that people gave several names; `category` is the first of them.

    Args:
        names: All of them.
    """

    names: tuple[str, ...] = ()


class Filter(ABC):
    """Drops objects, relationships or whole images. Picklable, and pure but for what `fit` learns.

    Nobody counts in here: whoever applies it compares what went in with what came out.
    """

    learns = False
    """Whether `fit` must see the training scenes, which costs another pass over them."""

    def fit(self, scenes: Iterable[Scene]) -> None:  # noqa: B027 (most filters learn nothing)
        """Learn from the training scenes as the filters before this one left them."""

    def words(self, vocabulary: Vocabulary) -> Vocabulary:
        """Return the words that can be left of those of the filters before this one; asked after `fit`."""
        return vocabulary

    @abstractmethod
    def __call__(self, scene: Scene, split: str) -> Scene | None:
        """Return what is left of a scene without its image, or `None` to drop it."""


def with_objects(scene: Scene, kept: Sequence[tuple[int, Object]]) -> Scene:
    """Return `scene` with these objects alone, given with their former places; relationships follow."""
    number = {old: new for new, (old, _) in enumerate(kept)}
    relationships = tuple(
        Relationship(number[told.subject], told.predicate, number[told.object])
        for told in scene.relationships
        if told.subject in number and told.object in number
    )
    return replace(scene, objects=tuple(item for _, item in kept), relationships=relationships)
