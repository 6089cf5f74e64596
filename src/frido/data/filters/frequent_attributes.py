"""A vocabulary of common attributes."""

from collections.abc import Iterable
from dataclasses import replace

from frido.contracts.scene import Scene, Vocabulary
from frido.data.filters.base import Filter
from frido.data.filters.frequent import common


class FrequentAttributes(Filter):
    """Leaves the attributes that are common; objects stay (sg2im, `preprocess_vg.py`).

    Args:
        least: How many objects of the training images must have an attribute.
    """

    learns = True

    def __init__(self, *, least: int) -> None:
        self.least = least
        self._common: tuple[str, ...] = ()
        self._known: frozenset[str] = frozenset()

    def fit(self, scenes: Iterable[Scene]) -> None:
        self._common = common((item.attributes for scene in scenes for item in scene.objects), self.least)
        self._known = frozenset(self._common)

    def words(self, vocabulary: Vocabulary) -> Vocabulary:
        return replace(vocabulary, attributes=self._common)

    def __call__(self, scene: Scene, split: str) -> Scene | None:
        objects = tuple(
            item
            if self._known.issuperset(item.attributes)
            else replace(item, attributes=tuple(word for word in item.attributes if word in self._known))
            for item in scene.objects
        )
        return replace(scene, objects=objects)
