"""A vocabulary of common predicates."""

from collections.abc import Iterable
from dataclasses import replace

from frido.contracts.scene import Scene, Vocabulary
from frido.data.filters.base import Filter
from frido.data.filters.frequent import common


class FrequentPredicates(Filter):
    """Drops relationships whose predicate is not common; objects stay (sg2im, `preprocess_vg.py`).

    Args:
        least: How many relationships of the training images must have a predicate.
    """

    learns = True

    def __init__(self, *, least: int) -> None:
        self.least = least
        self._common: tuple[str, ...] = ()
        self._known: frozenset[str] = frozenset()

    def fit(self, scenes: Iterable[Scene]) -> None:
        self._common = common(([told.predicate] for scene in scenes for told in scene.relationships), self.least)
        self._known = frozenset(self._common)

    def words(self, vocabulary: Vocabulary) -> Vocabulary:
        return replace(vocabulary, predicates=self._common)

    def __call__(self, scene: Scene, split: str) -> Scene | None:
        told = tuple(told for told in scene.relationships if told.predicate in self._known)
        return replace(scene, relationships=told)
