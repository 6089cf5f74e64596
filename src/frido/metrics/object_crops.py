"""Objects cut out of images by the boxes of their scenes."""

import math

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from frido.contracts.geometry import Box


def edges(box: Box, *, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a box in whole pixels: every pixel that it touches, at least one.

    Left and top are rounded down, right and bottom up, on real and generated images alike; what is outside of the
    image is left out.
    """
    left, right = _along(box[0], box[2], width)
    top, bottom = _along(box[1], box[3], height)
    return left, top, right, bottom


def object_crop(image: UInt8[np.ndarray, "height width 3"], box: Box, side_px: int) -> UInt8[Tensor, "3 side side"]:
    """Return what is in a box, squeezed to a square by PIL's bicubic filter."""
    cut = Image.fromarray(image).crop(edges(box, width=image.shape[1], height=image.shape[0]))
    pixels = np.array(cut.resize((side_px, side_px), Image.Resampling.BICUBIC))
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _along(low: float, high: float, pixels: int) -> tuple[int, int]:
    # To six digits: 0.1 of 30 pixels are three of them, not four.
    first = min(max(math.floor(round(low * pixels, 6)), 0), pixels - 1)
    return first, min(max(math.ceil(round(high * pixels, 6)), first + 1), pixels)
