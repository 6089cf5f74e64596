"""An object as COCO's filters see it."""

from dataclasses import dataclass

from frido.data.filters.crowds import Gathered


@dataclass(frozen=True, slots=True)
class CocoObject(Gathered):
    """An object of COCO.

    Args:
        stuff: Whether the stuff file has it.
        row: By which `CocoSplit` knows it.
    """

    stuff: bool = False
    row: int = 0
