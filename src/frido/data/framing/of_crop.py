"""Boxes as fractions of what is shown."""

from frido.contracts.geometry import Box
from frido.data.framing.base import Coordinates, Frame, exchanged


class OfCrop(Coordinates):
    """Boxes are fractions of the part that is shown, and end with it.

    taming-transformers' `rescale_annotations` moves what sticks out at the left or top inside without narrowing it;
    here a box is what can be seen of it.
    """

    def box(self, box: Box, frame: Frame) -> Box | None:
        if not frame.shows(box):
            return None
        left, right = (_within(edge, *frame.box[0::2]) for edge in box[0::2])
        top, bottom = (_within(edge, *frame.box[1::2]) for edge in box[1::2])
        inside = left, top, right, bottom
        return exchanged(inside) if frame.mirrored else inside


def _within(edge: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (edge - low) / (high - low)))
