"""Images of COCO that the stuff annotations cover."""

from frido.contracts.scene import Scene
from frido.data.filters.base import Filter
from frido.data.sources.coco_object import CocoObject


class WithStuff(Filter):
    """Drops images without an annotation of stuff (sg2im's `stuff_only`).

    It stands before the filters that drop objects.
    """

    def __call__(self, scene: Scene, split: str) -> Scene | None:
        return scene if any(isinstance(item, CocoObject) and item.stuff for item in scene.objects) else None
