"""A vocabulary of common categories."""

from collections.abc import Iterable
from dataclasses import replace

from frido.contracts.scene import Object, Scene, Vocabulary
from frido.data.filters.base import Filter, NamedObject, with_objects
from frido.data.filters.frequent import common


class FrequentCategories(Filter):
    """Names each object by the first of its names that is common, and drops it if none is (sg2im, `preprocess_vg.py`).

    A name counts once for an object, however often it was given to it. What is left are plain `Object`s.

    Args:
        least: How many objects of the training images must have a name.
    """

    learns = True

    def __init__(self, *, least: int) -> None:
        self.least = least
        self._common: tuple[str, ...] = ()
        self._known: frozenset[str] = frozenset()

    def fit(self, scenes: Iterable[Scene]) -> None:
        self._common = common((_names(item) for scene in scenes for item in scene.objects), self.least)
        self._known = frozenset(self._common)

    def words(self, vocabulary: Vocabulary) -> Vocabulary:
        return replace(vocabulary, categories=self._common)

    def __call__(self, scene: Scene, split: str) -> Scene | None:
        kept: list[tuple[int, Object]] = []
        for row, item in enumerate(scene.objects):
            name = next((word for word in _names(item) if word in self._known), None)
            if name is not None:
                kept.append((row, Object(name, item.box, item.attributes, item.visible)))
        return with_objects(scene, kept)


def _names(item: Object) -> tuple[str, ...]:
    return item.names if isinstance(item, NamedObject) else (item.category,)
