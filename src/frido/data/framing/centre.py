"""The middle of an image."""

import numpy as np

from frido.contracts.geometry import Box
from frido.data.framing.base import Crop


def middle(width: int, height: int) -> Box:
    """Return the largest square in the middle of an image, as fractions of it; of none (0 x 0 pixels) the whole."""
    across, down = (min(width, height) / side if side else 1.0 for side in (width, height))
    return (1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2


class Centre(Crop):
    """The largest square in the middle; "center" in taming-transformers."""

    fixed = True

    def box(self, width: int, height: int, random: np.random.Generator) -> Box:
        return middle(width, height)
