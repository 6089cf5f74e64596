"""A square somewhere along an image."""

import numpy as np

from frido.contracts.geometry import Box
from frido.data.framing.base import Crop


class Random1d(Crop):
    """The largest square, at a random place along the longer side; "random-1d" in taming-transformers.

    Every place at a whole pixel of the stored image is as likely (there: of the resized image).
    """

    fixed = False

    def box(self, width: int, height: int, random: np.random.Generator) -> Box:
        return square_at_random(width, height, min(width, height), random)


def square_at_random(width: int, height: int, side: int, random: np.random.Generator) -> Box:
    """Return a square of `side` pixels whose place is drawn from all of those at whole pixels."""
    left = int(random.integers(width - side, endpoint=True))
    top = int(random.integers(height - side, endpoint=True))
    return left / width, top / height, (left + side) / width, (top + side) / height
