"""A vocabulary of common predicates."""

from collections.abc import Iterable
from dataclasses import replace

from frido.contracts.scene import Scene
from frido.data.filters.frequent import Frequent


class FrequentPredicates(Frequent):
    """Drops relationships whose predicate too few relationships have; objects stay."""

    kind = "predicates"

    def _told(self, scene: Scene) -> Iterable[Iterable[str]]:
        return ([told.predicate] for told in scene.relationships)

    def __call__(self, scene: Scene, split: str) -> Scene:
        told = tuple(told for told in scene.relationships if told.predicate in self._known)
        return replace(scene, relationships=told)
