"""Images that are large enough."""

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.filters.base import Filter


class ImageSide(Filter):
    """Drops images with a shorter side below `least` (sg2im, `preprocess_vg.py`).

    Args:
        least: Pixels, of the image that the annotations were made for.

    Raises:
        FridoError: When applied, if the source does not say how large an image is.
    """

    def __init__(self, *, least: int) -> None:
        self.least = least

    def __call__(self, scene: Scene, split: str) -> Scene | None:
        check_size(scene)
        return scene if min(scene.width, scene.height) >= self.least else None


def check_size(scene: Scene) -> None:
    """Raise `FridoError` if the size of a scene's image is not known."""
    if not (scene.width and scene.height):
        raise FridoError(
            f"image {scene.id}",
            got="no width and height in the annotations",
            wanted="a size in pixels, for a filter that measures them",
            do="leave out the filters that measure pixels (~source.filters.NAME)",
        )
