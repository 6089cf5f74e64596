"""Which part of an image is shown, and where its objects then are. No torch."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from frido.contracts.geometry import Box

TOUCH = 1e-6
"""Boxes that reach into the shown part by less than this fraction of the image only touch it."""


class Frame(NamedTuple):
    """The part of an image that is shown as a square.

    Args:
        box: That part, as fractions of the image as it is stored.
        mirrored: Whether left and right are exchanged after that.
    """

    box: Box
    mirrored: bool

    @property
    def crop(self) -> Box:
        """The part that is shown, as fractions of the image or, if it is mirrored, of its mirror image."""
        return exchanged(self.box) if self.mirrored else self.box

    def shows(self, box: Box) -> bool:
        """Tell whether some of a box of the stored image is in the part that is shown."""
        return all(box[axis] < self.box[axis + 2] - TOUCH and box[axis + 2] > self.box[axis] + TOUCH for axis in (0, 1))


def exchanged(box: Box) -> Box:
    """Return a box of the mirror image."""
    left, top, right, bottom = box
    return 1 - right, top, 1 - left, bottom


class Crop(ABC):
    """Chooses the part of an image that is shown. Picklable, and without a state: all chance comes from outside."""

    fixed: bool
    """Whether it never draws, so that an image always looks the same."""

    @abstractmethod
    def box(self, width: int, height: int, random: np.random.Generator) -> Box:
        """Return that part, as fractions of an image of `width` x `height` pixels."""


class Coordinates(ABC):
    """Says of what boxes are fractions once a part of an image is shown."""

    @abstractmethod
    def box(self, box: Box, frame: Frame) -> Box | None:
        """Return the new box of an object whose box in the stored image is `box`; `None` if none of it is shown."""
