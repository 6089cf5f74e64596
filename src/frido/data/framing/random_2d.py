"""A square of any size somewhere in an image."""

import numpy as np

from frido.contracts.geometry import Box
from frido.data.framing.base import Crop
from frido.data.framing.random_1d import square_at_random


class Random2d(Crop):
    """A square of random size at a random place; "random-2d" in taming-transformers.

    The side is a whole number of pixels of the stored image, and each from `least` to the shorter side is as likely;
    then each place. Where the shorter side is no longer than `least` it is the side.

    Args:
        least: Shortest side, pixels of the stored image. Officially the resolution of the training, so that nothing
            is enlarged; datasets that were packed at that resolution then only know the largest square.
    """

    fixed = False

    def __init__(self, *, least: int) -> None:
        self.least = least

    def box(self, width: int, height: int, random: np.random.Generator) -> Box:
        shorter = min(width, height)
        side = int(random.integers(min(self.least, shorter), shorter, endpoint=True))
        return square_at_random(width, height, side, random)
