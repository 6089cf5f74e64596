"""Images with something said about them."""

from frido.contracts.scene import Scene
from frido.data.filters.base import Filter


class Captioned(Filter):
    """Drops images without a caption."""

    def __call__(self, scene: Scene, split: str) -> Scene | None:
        return scene if scene.captions else None
