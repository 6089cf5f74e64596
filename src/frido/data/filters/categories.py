"""Which categories a recipe knows, and under which names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from frido.contracts.errors import FridoError, nearest
from frido.contracts.scene import Scene, Vocabulary
from frido.data.filters.base import Filter, with_objects


class Without(Filter):
    """Drops objects of some categories, and the categories from the vocabulary.

    Args:
        names: Of the dropped categories.
    """

    def __init__(self, *, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def words(self, vocabulary: Vocabulary) -> Vocabulary:
        _check(self.names, vocabulary)
        return replace(vocabulary, categories=tuple(c for c in vocabulary.categories if c not in self.names))

    def __call__(self, scene: Scene, split: str) -> Scene:
        return with_objects(scene, [(k, o) for k, o in enumerate(scene.objects) if o.category not in self.names])


class Only(Filter):
    """Keeps objects of some categories alone; the vocabulary is their list, in its order.

    Args:
        names: Of the kept categories.
    """

    def __init__(self, *, names: Sequence[str]) -> None:
        self.names = tuple(dict.fromkeys(names))
        self._known = frozenset(names)

    def words(self, vocabulary: Vocabulary) -> Vocabulary:
        _check(self.names, vocabulary)
        return replace(vocabulary, categories=self.names)

    def __call__(self, scene: Scene, split: str) -> Scene:
        return with_objects(scene, [(k, o) for k, o in enumerate(scene.objects) if o.category in self._known])


class Merged(Filter):
    """Gives objects of some categories the name of another.

    Words that stay keep their places in the vocabulary; new ones follow them.

    Args:
        names: New name by old one.
    """

    def __init__(self, *, names: Mapping[str, str]) -> None:
        self.names = dict(names)

    def words(self, vocabulary: Vocabulary) -> Vocabulary:
        _check(self.names, vocabulary)
        stay = [category for category in vocabulary.categories if category not in self.names]
        new = [self.names[category] for category in vocabulary.categories if category in self.names]
        return replace(vocabulary, categories=tuple(dict.fromkeys([*stay, *new])))

    def __call__(self, scene: Scene, split: str) -> Scene:
        renamed = (replace(item, category=self.names.get(item.category, item.category)) for item in scene.objects)
        return replace(scene, objects=tuple(renamed))


def _check(names: Sequence[str] | Mapping[str, str], vocabulary: Vocabulary) -> None:
    for name in names:
        if name not in vocabulary.categories:
            raise FridoError(
                "categories of a filter",
                got=name,
                wanted=f"a category of the source, such as {', '.join(nearest(name, vocabulary.categories)) or 'none'}",
                do="write it as the dataset does, or take it out of the filter's names",
            )
