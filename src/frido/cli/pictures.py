"""Tensors of images as files."""

from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor


def to_uint8(images: Tensor) -> Tensor:
    """Return images in [-1, 1] as bytes on the CPU, rounded."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()


def grid(images: Tensor, *, columns: int) -> Tensor:
    """Return NCHW images as one CHW image, filled row by row; the number of images is a multiple of `columns`."""
    return rearrange(images, "(rows columns) c h w -> c (rows h) (columns w)", columns=columns)


def save(image: Tensor, path: Path) -> None:
    """Write one CHW uint8 RGB image as a file of the type that its name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rearrange(image, "c h w -> h w c").numpy()).save(path)


def load(path: Path) -> Tensor:
    """Return the CHW uint8 RGB image of a file."""
    with Image.open(path) as file:
        return rearrange(torch.from_numpy(np.array(file.convert("RGB"))), "h w c -> c h w")
