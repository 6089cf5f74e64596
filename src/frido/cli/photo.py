"""A person's picture and the mask of it, as arrays of a run's resolution. No torch."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from frido.contracts.errors import FridoError
from frido.data.encoding import png
from frido.data.framing.base import Frame
from frido.data.framing.centre import middle
from frido.data.images import decoded, reading

WHITE = 128
"""Least brightness of a mask, of 0 to 255, that counts as white."""


def picture(path: Path, resolution: int) -> np.ndarray:
    """Return uint8 RGB `(3, resolution, resolution)`: upright, shorter side resized, centre cropped, as data are."""
    return _decoded(f"image={path}", path, resolution)


def hole(path: Path, resolution: int) -> np.ndarray:
    """Return bool `(resolution, resolution)`, True where the mask is white: there the picture is drawn anew."""
    return _decoded(f"mask={path}", path, resolution).mean(axis=0) >= WHITE


def check(image: Path, mask: Path | None, resolution: int) -> None:
    """Raise `FridoError` where the files are no picture, and no mask of it with something to draw."""
    picture(image, resolution)
    if mask is None:
        return
    if not hole(mask, resolution).any():
        raise FridoError(
            f"mask={mask}",
            got=f"no white at {resolution} x {resolution} pixels",
            wanted="white where the picture is drawn anew, black where it is kept",
            do="paint a larger white area, or leave out mask=",
        )
    size, wanted = (_upright(f"{name}={path}", path).size for name, path in (("mask", mask), ("image", image)))
    if size != wanted:
        raise FridoError(
            f"mask={mask}",
            got="{} x {} pixels".format(*size),
            wanted="the size of the image, {} x {} pixels".format(*wanted),
            do="paint the mask over the image itself",
        )


def _decoded(where: str, path: Path, resolution: int) -> np.ndarray:
    image = _upright(where, path)
    return decoded(png(np.asarray(image)), resolution, frame=Frame(middle(*image.size), mirrored=False), where=where)


def _upright(where: str, path: Path) -> Image.Image:
    with reading(where), Image.open(path) as file:
        return ImageOps.exif_transpose(file).convert("RGB")
