"""Images with a fitting number of objects."""

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.filters.base import Filter


class ObjectCount(Filter):
    """Drops images with fewer objects than `least` or more than `most`, as the filters before it left them."""

    def __init__(self, *, least: int, most: int) -> None:
        check_bounds("object_count", least, most)
        self.least = least
        self.most = most

    def __call__(self, scene: Scene, split: str) -> Scene | None:
        return scene if self.least <= len(scene.objects) <= self.most else None


def check_bounds(name: str, least: int, most: int) -> None:
    """Raise `FridoError` unless some number lies between the bounds of a filter."""
    if not 0 <= least <= most:
        raise FridoError(
            f"source.filters.{name}",
            got=f"least={least}, most={most}",
            wanted="0 <= least <= most",
            do=f"set source.filters.{name}.most={max(0, least)} or more",
        )
