"""Encoded image files: made upright RGB of the wanted size when packing, decoded when reading. No torch."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene

KEPT_FORMATS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
JPEG_QUALITY = 95
"""Of images that are encoded again, without chroma subsampling."""


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn every way in which Pillow refuses a file into one error that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd EXIF blocks and the like: the pixels decide
            yield
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise FridoError(
            where,
            got=f"{error}" or type(error).__name__,
            wanted="a whole PNG, JPEG or WebP image",
            do="fetch the file again; for a packed dataset, pack it again",
        ) from error


def suffix(image: bytes) -> str:
    """Return "png", "jpg" or "webp", told by the first bytes."""
    if image.startswith(b"\x89PNG"):
        return "png"
    return "webp" if image[8:12] == b"WEBP" else "jpg"


def resized(image: Image.Image, shorter_side: int, *, by: Image.Resampling = Image.Resampling.BICUBIC) -> Image.Image:
    """Return `image` with that shorter side and the same aspect; antialiased, unless by another filter."""
    width, height = image.size
    scale = shorter_side / min(width, height)
    size = max(shorter_side, round(width * scale)), max(shorter_side, round(height * scale))
    return image if size == image.size else image.resize(size, by)


def packed(scene: Scene, *, image_size: int | None, where: str) -> Scene:
    """Return `scene` with its image upright, RGB and, with `image_size`, of that shorter side in pixels.

    A file that is so already is kept byte for byte. Annotations belong to the upright image of the scene's `width`
    and `height`: a camera's orientation flag is followed when that gives these proportions, and ignored otherwise.
    A segmentation belongs to the upright image too, and gets its size.

    Raises:
        FridoError: The file is no image, or its proportions are not those of the annotations; or the segmentation is
            none of that image.
    """
    with reading(where):
        with Image.open(io.BytesIO(scene.image)) as opened:
            turned = opened.getexif().get(ExifTags.Base.Orientation, 1) != 1
            keep = opened.format in KEPT_FORMATS and opened.mode == "RGB" and not turned
            image = _oriented(opened, scene, where)
            image = image if image.mode == "RGB" else image.convert("RGB")
            image.load()
        if image_size is not None and min(image.size) > image_size:
            image, keep = resized(image, image_size), False
        content = scene.image
        if not keep:
            file = io.BytesIO()
            image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
            content = file.getvalue()
    segmentation = _fitted(scene.segmentation, image.size, where) if scene.segmentation else b""
    return replace(scene, image=content, width=image.width, height=image.height, segmentation=segmentation)


def _fitted(segmentation: bytes, size: tuple[int, int], where: str) -> bytes:
    """Return a segmentation at the size of its image: the bytes as they are where it has that size already."""
    with reading(f"segmentation, {where}"), Image.open(io.BytesIO(segmentation)) as opened:
        across, down = size[0] / opened.width, size[1] / opened.height
        if opened.format != "PNG" or opened.mode not in ("L", "I;16") or abs(across - down) * min(opened.size) > 1.0:
            raise FridoError(
                f"segmentation, {where}",
                got=f"{opened.format} of mode {opened.mode}, {opened.width} x {opened.height} pixels",
                wanted=f"a PNG of one channel in the proportions of the {size[0]} x {size[1]} image",
                do="give the source one value a pixel: 0, or a category's index plus 1",
            )
        return segmentation if opened.size == size else png(np.asarray(opened.resize(size, Image.Resampling.NEAREST)))


def png(pixels: np.ndarray) -> bytes:
    """Return an array `(height, width)` of uint8 or uint16, or `(height, width, 3)` of uint8, as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _oriented(opened: Image.Image, scene: Scene, where: str) -> Image.Image:
    upright = ImageOps.exif_transpose(opened)
    for image in (upright, opened):
        # equal to a pixel after scaling: smaller copies of the published images are welcome
        across, down = image.width / scene.width, image.height / scene.height
        if abs(across - down) * min(scene.width, scene.height) <= 1.0:
            return image
    raise FridoError(
        where,
        got=f"{upright.width} x {upright.height} pixels",
        wanted=f"the proportions of the annotated {scene.width} x {scene.height}",
        do="put the image that the annotations were made for in its place",
    )


def decoded(image: bytes, resolution: int, *, where: str) -> np.ndarray:
    """Return uint8 RGB `(3, resolution, resolution)`: shorter side resized (antialiased), centre cropped.

    Raises:
        FridoError: The bytes are no whole image.
    """
    with reading(where), Image.open(io.BytesIO(image)) as opened:
        picture = resized(opened if opened.mode == "RGB" else opened.convert("RGB"), resolution)
        picture = _square(picture, resolution)
        return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))


def labels(segmentation: bytes, resolution: int, *, where: str) -> np.ndarray:
    """Return int16 `(resolution, resolution)`: the category of each pixel, -1 for none; on the grid of `decoded`.

    Raises:
        FridoError: The bytes are no whole image.
    """
    with reading(where), Image.open(io.BytesIO(segmentation)) as opened:
        picture = _square(resized(opened, resolution, by=Image.Resampling.NEAREST), resolution)
        return np.asarray(picture).astype(np.int16) - 1


def _square(picture: Image.Image, side: int) -> Image.Image:
    """Return the centre square of a picture whose shorter side is `side` pixels."""
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture if picture.size == (side, side) else picture.crop((left, top, left + side, top + side))
