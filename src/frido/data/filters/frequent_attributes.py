"""A vocabulary of common attributes."""

from collections.abc import Iterable
from dataclasses import replace

from frido.contracts.scene import Scene
from frido.data.filters.frequent import Frequent


class FrequentAttributes(Frequent):
    """Leaves the attributes that enough objects have; objects stay."""

    kind = "attributes"

    def _told(self, scene: Scene) -> Iterable[Iterable[str]]:
        return (item.attributes for item in scene.objects)

    def __call__(self, scene: Scene, split: str) -> Scene:
        objects = tuple(
            item
            if self._known.issuperset(item.attributes)
            else replace(item, attributes=tuple(word for word in item.attributes if word in self._known))
            for item in scene.objects
        )
        return replace(scene, objects=objects)
