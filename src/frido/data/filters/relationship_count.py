"""Images with a fitting number of relationships."""

from frido.contracts.scene import Scene
from frido.data.filters.base import Filter
from frido.data.filters.object_count import check_bounds


class RelationshipCount(Filter):
    """Drops images with fewer relationships than `least` or more than `most`, as the filters before it left them."""

    def __init__(self, *, least: int, most: int) -> None:
        check_bounds("relationship_count", least, most)
        self.least = least
        self.most = most

    def __call__(self, scene: Scene, split: str) -> Scene | None:
        return scene if self.least <= len(scene.relationships) <= self.most else None
