"""Objects that are large enough."""

from frido.contracts.scene import Scene
from frido.data.filters.base import Filter, with_objects
from frido.data.filters.image_side import check_size

ROUNDING = 1e-6
"""Pixels: fractions of an image times its size are whole pixels to much less than this."""


class ObjectSide(Filter):
    """Drops objects whose box is narrower or lower than `least` (sg2im, `preprocess_vg.py`).

    Args:
        least: Pixels, of the image that the annotations were made for.

    Raises:
        FridoError: When applied, if the source does not say how large an image is.
    """

    def __init__(self, *, least: int) -> None:
        self.least = least

    def __call__(self, scene: Scene, split: str) -> Scene | None:
        check_size(scene)
        width, height = (self.least - ROUNDING) / scene.width, (self.least - ROUNDING) / scene.height
        return with_objects(
            scene,
            [
                (row, item)
                for row, item in enumerate(scene.objects)
                if item.box[2] - item.box[0] >= width and item.box[3] - item.box[1] >= height
            ],
        )
