"""How much of the image an object's box must cover."""

from frido.contracts.scene import Object, Scene
from frido.data.filters.base import Filter, with_objects

ROUNDING = 1e-9
"""Shares closer than this are equal: whole pixels divided by an image's sides rarely are to the last bit."""


class AreaAbove(Filter):
    """Keeps objects whose box covers more than a share of the image (sg2im, taming-transformers, Frido).

    Args:
        share: Of the image's area, in [0, 1]; a box of exactly this share is dropped.
    """

    def __init__(self, *, share: float) -> None:
        self.share = share

    def __call__(self, scene: Scene, split: str) -> Scene:
        kept = [(k, item) for k, item in enumerate(scene.objects) if _area(item) > self.share + ROUNDING]
        return with_objects(scene, kept)


def _area(item: Object) -> float:
    left, top, right, bottom = item.box
    return (right - left) * (bottom - top)
