"""Objects that a recipe leaves out for what is said of them."""

from collections.abc import Sequence

from frido.contracts.scene import Scene
from frido.data.filters.base import Filter, with_objects


class WithoutAttributes(Filter):
    """Drops objects that have any of some attributes (groups, drawings of things).

    Args:
        names: Of the attributes; the vocabulary keeps them.
    """

    def __init__(self, *, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def __call__(self, scene: Scene, split: str) -> Scene:
        kept = [(k, item) for k, item in enumerate(scene.objects) if not set(self.names) & set(item.attributes)]
        return with_objects(scene, kept)
