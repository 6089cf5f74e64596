"""Encoded image files -> arrays of pixels. No torch."""

import io
import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from frido.contracts.errors import FridoError
from frido.data.framing.base import Frame
from frido.data.upright import upright

MOST_PIXELS = 2**28 // 3
"""Larger images are refused before they are decoded: 89 million pixels, 256 MiB as RGB. Pillow warns from there."""

OF_BROKEN_EXIF = (struct.error, TypeError, AttributeError)
"""What Pillow lets escape when it turns an image whose EXIF block is damaged."""

# Odd EXIF blocks and the like: the pixels decide. Here, because `warnings.catch_warnings` is not for threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn every way in which Pillow refuses a file into one error that names the file."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(where, f"{error}") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, *OF_BROKEN_EXIF) as error:
        raise FridoError(
            where,
            got=_words(error),
            wanted="a whole PNG, JPEG or WebP image",
            do="fetch the file again; for a packed dataset, pack it again",
        ) from error


def _words(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "nothing that looks like an image"  # Pillow's own words hold an address in memory
    return f"{error}" or type(error).__name__


@contextmanager
def opened(file: io.BytesIO | Path, where: str) -> Iterator[Image.Image]:
    """Yield an image of which only the header has been read, and that is small enough for the rest.

    Raises:
        FridoError: It is no image, has more than `MOST_PIXELS`, or, while it is used, turns out broken.
    """
    with reading(where), Image.open(file) as stored:
        _check_size(stored.size, where)
        yield stored


def resized(image: Image.Image, shorter_side: int, *, by: Image.Resampling = Image.Resampling.BICUBIC) -> Image.Image:
    """Return `image` with that shorter side and the same aspect; antialiased, unless by another filter."""
    width, height = image.size
    scale = shorter_side / min(width, height)
    size = max(shorter_side, round(width * scale)), max(shorter_side, round(height * scale))
    return image if size == image.size else image.resize(size, by)


def decoded(image: bytes, resolution: int, *, frame: Frame, where: str) -> np.ndarray:
    """Return uint8 RGB `(3, resolution, resolution)`: what a frame shows of the upright image, antialiased.

    The image is resized so that the shown part has that side, and then cut at whole pixels.

    Raises:
        FridoError: The bytes are no whole image, or one of too many pixels.
    """
    with opened(io.BytesIO(image), where) as stored:
        _cut(stored.size, resolution, frame, where)  # refused by its header; even an orientation takes decoding a PNG
        picture = upright(stored)
        cut = _cut(picture.size, resolution, frame, where)
        pixels = _shown(picture, resolution, cut, frame, by=Image.Resampling.BICUBIC)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def labels(segmentation: bytes, resolution: int, *, frame: Frame, where: str) -> np.ndarray:
    """Return int16 `(resolution, resolution)`: the category of each pixel, -1 for none; on the grid of `decoded`.

    Raises:
        FridoError: The bytes are no whole image, or one of too many pixels.
    """
    with opened(io.BytesIO(segmentation), where) as stored:
        cut = _cut(stored.size, resolution, frame, where)
        return _shown(stored, resolution, cut, frame, by=Image.Resampling.NEAREST).astype(np.int16) - 1


class Cut(NamedTuple):
    """The size to which a picture is resized, and the corner at which it is then cut, pixels."""

    width: int
    height: int
    left: int
    top: int


def _cut(size: tuple[int, int], resolution: int, frame: Frame, where: str) -> Cut:
    """Return how a picture of some size becomes what a frame shows of it; refuse one that would become too large."""
    width, left = _along(size[0], *frame.box[0::2], resolution)
    height, top = _along(size[1], *frame.box[1::2], resolution)
    _check_size((width, height), where)
    return Cut(width, height, left, top)


def _shown(picture: Image.Image, resolution: int, cut: Cut, frame: Frame, *, by: Image.Resampling) -> np.ndarray:
    """Return `(resolution, resolution, ...)`, what a frame shows of a picture."""
    width, height, left, top = cut
    if (width, height) != picture.size:
        picture = picture.resize((width, height), by)
    if picture.size != (resolution, resolution):
        picture = picture.crop((left, top, left + resolution, top + resolution))
    pixels = np.asarray(picture)
    return pixels[:, ::-1] if frame.mirrored else pixels


def _along(length: int, low: float, high: float, resolution: int) -> tuple[int, int]:
    """Return to what a side of `length` pixels is resized so that its part from `low` to `high` has `resolution`
    pixels, and at which pixel that part then begins."""
    shown = round((high - low) * length, 6)  # a whole number of pixels, for most crops, in spite of rounding
    whole = max(resolution, round(length * (resolution / shown)))
    spare = whole - resolution
    first = math.ceil(low / (1 - high + low) * spare - 0.5 - 1e-6) if spare else 0  # the nearest; of two the first
    return whole, min(max(first, 0), spare)


def _check_size(size: tuple[int, int], where: str) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise _too_large(where, f"{size[0]} x {size[1]} pixels to decode or to enlarge it to")


def _too_large(where: str, got: str) -> FridoError:
    return FridoError(
        where, got=got, wanted=f"at most {MOST_PIXELS} pixels", do="store a smaller copy, or leave the image out"
    )
