"""Filters that learn which words are common."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from frido.contracts.scene import Scene, Vocabulary
from frido.data.filters.base import Filter


class Frequent(Filter):
    """Leaves the words of one kind that are common in training images (sg2im, `preprocess_vg.py`).

    The vocabulary is most common first; words that are as common as each other as first met.

    Args:
        least: How many things in the training images must have a word; it counts once for each.
    """

    learns = True
    kind: str
    """Field of `Vocabulary`."""

    def __init__(self, *, least: int) -> None:
        self.least = least
        self._common: tuple[str, ...] = ()
        self._known: frozenset[str] = frozenset()

    @abstractmethod
    def _told(self, scene: Scene) -> Iterable[Iterable[str]]:
        """Yield the words of each thing in a scene that has some."""

    def fit(self, scenes: Iterable[Scene]) -> None:
        counts = Counter(word for scene in scenes for words in self._told(scene) for word in dict.fromkeys(words))
        self._common = tuple(word for word, count in counts.most_common() if count >= self.least)
        self._known = frozenset(self._common)

    def words(self, vocabulary: Vocabulary) -> Vocabulary:
        words: Any = {self.kind: self._common}
        return replace(vocabulary, **words)
