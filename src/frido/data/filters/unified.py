"""Categories merged and chosen at once, as taming-transformers and Frido prepare Open Images."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

from frido.contracts.scene import Scene, Vocabulary
from frido.data.filters.base import Filter
from frido.data.filters.categories import Merged, Only


class UnifyingFilter(Filter):
    """Gives objects of some categories the name of another, then drops those of all but some categories.

    Args:
        merged: New name by old one.
        names: Of the kept categories; they may hold names that are merged into others.
    """

    def __init__(self, *, merged: Mapping[str, str], names: Sequence[str]) -> None:
        self.merged = dict(merged)
        self.names = tuple(names)
        self._steps = (Merged(names=merged), Only(names=[name for name in names if name not in merged]))

    def words(self, vocabulary: Vocabulary) -> Vocabulary:
        left = vocabulary
        for step in self._steps:
            left = step.words(left)
        return replace(vocabulary, categories=self._numbered(vocabulary.categories, frozenset(left.categories)))

    @abstractmethod
    def _numbered(self, before: tuple[str, ...], left: frozenset[str]) -> tuple[str, ...]:
        """Return the vocabulary, given that of the filters before and the categories that objects can have."""

    def __call__(self, scene: Scene, split: str) -> Scene:
        for step in self._steps:
            scene = step(scene, split)
        return scene


class Unified(UnifyingFilter):
    """The categories that are left are numbered anew, in their former order (taming-transformers, so LDM)."""

    def _numbered(self, before: tuple[str, ...], left: frozenset[str]) -> tuple[str, ...]:
        return tuple(category for category in before if category in left)


class UnifiedInPlace(UnifyingFilter):
    """All categories keep their places in the vocabulary, used or not (Frido)."""

    def _numbered(self, before: tuple[str, ...], left: frozenset[str]) -> tuple[str, ...]:
        return before
