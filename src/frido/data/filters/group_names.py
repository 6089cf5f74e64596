"""Groups as categories of their own."""

from dataclasses import replace

from frido.contracts.scene import Object, Scene, Vocabulary
from frido.data.filters.base import Filter
from frido.data.filters.crowds import Gathered


class GroupNames(Filter):
    """Renames objects that stand for several things: "Person" becomes "Person (group)".

    The vocabulary holds all names and after them those of their groups, in the same order: a group's id is that of
    its category plus the number of categories, as in taming-transformers, LDM and Frido (`use_group_parameter`).
    """

    def words(self, vocabulary: Vocabulary) -> Vocabulary:
        groups = (_group(category) for category in vocabulary.categories)
        return replace(vocabulary, categories=(*vocabulary.categories, *groups))

    def __call__(self, scene: Scene, split: str) -> Scene:
        return replace(scene, objects=tuple(self._named(item) for item in scene.objects))

    @staticmethod
    def _named(item: Object) -> Object:
        return replace(item, category=_group(item.category)) if isinstance(item, Gathered) and item.crowd else item


def _group(category: str) -> str:
    return f"{category} (group)"
