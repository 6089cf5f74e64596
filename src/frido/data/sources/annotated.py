"""A published dataset on disk: what its files say, less what a recipe's filters drop."""

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError
from frido.contracts.geometry import clipped
from frido.contracts.scene import Object, Scene, Vocabulary
from frido.data.filters.base import Filter
from frido.data.sources.base import SPLITS, Source

Handle = Any
"""By which a source knows an annotated image: anything small and picklable."""

MISSING = "file missing"
"""The first step of every recipe: any part of the official layout will do."""


class Annotated(Source):
    """A source that reads annotations from files and passes them through a recipe's filters.

    A subclass parses its files in its constructor and ends it with `_select`. Only handles of the images that are
    kept stay in memory with what it keeps itself: a scene is made anew whenever it is asked for. Filters see objects
    and boxes as the files have them; those of a `scene` are plain ones, inside the image.

    Args:
        root: Folder of the dataset.
        filters: By name, in the order in which they are applied.
    """

    def __init__(self, *, root: str, filters: Mapping[str, Filter]) -> None:
        self.root = Path(root)
        self._filters = dict(filters)
        self._kept: dict[str, list[Handle]] = {}
        self._counts: dict[str, dict[str, dict[str, int]]] = {}
        self._vocabulary = Vocabulary((), (), ())

    @abstractmethod
    def _annotation(self, split: str, handle: Handle) -> Scene:
        """Return what the files say of an image, as fractions of the upright image; without the image. `width` and
        `height` are 0 where the files do not say them."""

    @abstractmethod
    def _path(self, split: str, handle: Handle) -> Path:
        """Return the image's file."""

    def _finished(self, scene: Scene, split: str, handle: Handle) -> Scene:
        """Return a filtered scene with what takes time to make (relationships, a segmentation); by default nothing."""
        return scene

    def _select(self, handles: Mapping[str, Sequence[Handle]], words: Vocabulary) -> None:
        """Fit the filters, apply them to every image of each split, and remember which are left.

        Args:
            handles: Every annotated image of each split, whether its file is there or not.
            words: That the dataset itself names; a filter may change them.
        """
        steps = list(self._filters.values())
        for number, step in enumerate(steps):
            if step.learns:
                step.fit(self._passed(handles.get("train", ()), steps[:number]))
            words = step.words(words)
        self._vocabulary = words
        for split in SPLITS:
            self._sift(split, handles.get(split, ()))

    def _sift(self, split: str, handles: Sequence[Handle]) -> None:
        """Apply the filters to the images of a split, count what each drops, and remember which are left."""
        self._counts[split] = {name: _nothing() for name in ("read", MISSING, *self._filters, "kept")}
        self._kept[split] = [handle for handle in handles if self._survives(split, handle)]

    def _passed(self, handles: Sequence[Handle], steps: Sequence[Filter]) -> Iterator[Scene]:
        for handle in handles:
            scene = self._annotation("train", handle) if self._path("train", handle).is_file() else None
            for step in steps:
                scene = step(scene, "train") if scene else None
            if scene is not None:
                yield scene

    def _count(self, step: str, split: str, before: Scene, after: Scene | None) -> None:
        count = self._counts[split][step]
        count["images"] += after is None
        count["objects"] += len(before.objects) - (len(after.objects) if after else 0)
        count["relationships"] += len(before.relationships) - (len(after.relationships) if after else 0)

    def _survives(self, split: str, handle: Handle) -> bool:
        """Return whether an image is left by all filters; count what each drops."""
        scene = self._annotation(split, handle)
        self._count("read", split, scene, None)
        if not self._path(split, handle).is_file():
            self._count(MISSING, split, scene, None)
            return False
        for name, step in self._filters.items():
            left = step(scene, split)
            self._count(name, split, scene, left)
            if left is None:
                return False
            scene = left
        self._count("kept", split, scene, None)
        return True

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    def count(self, split: str) -> int:
        return len(self._kept[split])

    def annotation(self, split: str, index: int) -> Scene:
        """Return a kept scene after all filters, without its image, and without what `_finished` adds."""
        scene: Scene | None = self._annotation(split, self._kept[split][index])
        for step in self._filters.values():
            assert scene is not None, "a filter dropped now what it kept before"
            scene = step(scene, split)
        assert scene is not None, "a filter dropped now what it kept before"
        return scene

    def scene(self, split: str, index: int) -> Scene:
        handle = self._kept[split][index]
        scene = self._finished(self.annotation(split, index), split, handle)
        objects = (Object(one.category, clipped(one.box), one.attributes, one.visible) for one in scene.objects)
        try:
            content = self._path(split, handle).read_bytes()
        except OSError as error:
            name = self.file(split, index)
            raise FridoError(name, got=error.strerror, wanted="a readable image", do="fetch it again") from None
        return replace(scene, objects=tuple(objects), image=content)

    def file(self, split: str, index: int) -> str:
        return Path(os.path.relpath(self._path(split, self._kept[split][index]), self.root)).as_posix()

    def filters(self) -> dict[str, dict[str, dict[str, int]]]:
        return self._counts


def _nothing() -> dict[str, int]:
    return dict.fromkeys(("images", "objects", "relationships"), 0)
