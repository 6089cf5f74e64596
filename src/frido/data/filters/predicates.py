"""Which relationships a recipe knows."""

from collections.abc import Sequence
from dataclasses import replace

from frido.contracts.scene import Scene, Vocabulary
from frido.data.filters.base import Filter


class OnlyPredicates(Filter):
    """Keeps relationships of some kinds alone; where each kind has an inverse, one of the two says all.

    Args:
        names: Of the kept predicates; the vocabulary is their list, in its order.
    """

    def __init__(self, *, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def words(self, vocabulary: Vocabulary) -> Vocabulary:
        return replace(vocabulary, predicates=self.names)

    def __call__(self, scene: Scene, split: str) -> Scene:
        kept = tuple(told for told in scene.relationships if told.predicate in self.names)
        return replace(scene, relationships=kept)
