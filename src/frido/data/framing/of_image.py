"""Boxes as fractions of the whole image."""

from frido.contracts.geometry import Box
from frido.data.framing.base import Coordinates, Frame, exchanged


class OfImage(Coordinates):
    """Boxes stay fractions of the whole image, or of its mirror image, and may reach beyond the part that is shown.

    For conditioners that are told that part as well: `encode_crop` of taming-transformers, LDM's and Frido's layouts.
    """

    def box(self, box: Box, frame: Frame) -> Box | None:
        if not frame.shows(box):
            return None
        return exchanged(box) if frame.mirrored else box
