"""All of an image."""

import numpy as np

from frido.contracts.geometry import WHOLE, Box
from frido.data.framing.base import Crop


class Whole(Crop):
    """Nothing is cut off: what is not square is squeezed. "none" in taming-transformers; Frido's label-to-image
    evaluation."""

    fixed = True

    def box(self, width: int, height: int, random: np.random.Generator) -> Box:
        return WHOLE
