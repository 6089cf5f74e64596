"""A vocabulary of common categories."""

from collections.abc import Iterable

from frido.contracts.scene import Object, Scene
from frido.data.filters.base import NamedObject, with_objects
from frido.data.filters.frequent import Frequent


class FrequentCategories(Frequent):
    """Names each object by the first of its names that enough objects have, and drops it if none is.

    A name counts once for an object, however often it was given to it. What is left are plain `Object`s.
    """

    kind = "categories"

    def _told(self, scene: Scene) -> Iterable[Iterable[str]]:
        return map(_names, scene.objects)

    def __call__(self, scene: Scene, split: str) -> Scene:
        kept: list[tuple[int, Object]] = []
        for row, item in enumerate(scene.objects):
            name = next((word for word in _names(item) if word in self._known), None)
            if name is not None:
                kept.append((row, Object(name, item.box, item.attributes, item.visible)))
        return with_objects(scene, kept)


def _names(item: Object) -> tuple[str, ...]:
    return item.names if isinstance(item, NamedObject) else (item.category,)
