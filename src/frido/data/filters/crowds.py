"""Boxes around several things at once."""

from dataclasses import dataclass

from frido.contracts.scene import Object, Scene
from frido.data.filters.base import Filter, with_objects


@dataclass(frozen=True, slots=True)
class Gathered(Object):
    """An object that may stand for several things; its source makes a plain `Object` of it when the filters are done.

    Args:
        crowd: Whether it does (COCO's `iscrowd`, Open Images' `IsGroupOf`).
    """

    crowd: bool = False


class WithoutCrowds(Filter):
    """Drops every object that stands for several things. sg2im and Frido keep them on COCO."""

    def __call__(self, scene: Scene, split: str) -> Scene:
        kept = [(k, o) for k, o in enumerate(scene.objects) if not (isinstance(o, Gathered) and o.crowd)]
        return with_objects(scene, kept)
