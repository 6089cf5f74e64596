"""Image files as they are stored: upright RGB, of the wanted size and format. No torch."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.images import opened, reading, resized
from frido.data.upright import orientation, plain_inks, rgb

SUFFIXES = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
"""Of the formats that are stored, by Pillow's names for them."""

FORMATS = {"keep": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP"}
"""What files are encoded as that cannot be kept, by the name of the setting."""


class Storing(NamedTuple):
    """How images are stored.

    Args:
        image_size: Shorter side, pixels; larger ones are resized once, smaller ones and `None` keep theirs.
        image_format: One of `FORMATS`.
        quality: Of JPEG and WebP files that are encoded here, 1 to 100.
    """

    image_size: int | None
    image_format: str
    quality: int

    def described(self) -> str:
        """Return what is done to images, in a sentence for `dataset.json`."""
        size = (
            f"shorter side at most {self.image_size} px (bicubic, antialiased, once)" if self.image_size else "any size"
        )
        kept = "PNG, JPEG and WebP" if self.image_format == "keep" else FORMATS[self.image_format]
        written = FORMATS[self.image_format]
        detail = {"JPEG": f" of quality {self.quality}, 4:4:4", "WEBP": f" of quality {self.quality}", "PNG": ""}
        return (
            f"RGB, 8 bit, upright; {size}; {kept} files that are so already are kept byte for byte, "
            f"all others are encoded as {written}{detail[written]}; what is transparent is shown on white; "
            "16-bit grey is scaled; CMYK is converted and colour profiles are dropped without colour management"
        )


def suffix(image: bytes) -> str:
    """Return "png", "jpg" or "webp", told by the first bytes."""
    if image.startswith(b"\x89PNG"):
        return "png"
    return "webp" if image[8:12] == b"WEBP" else "jpg"


def packed(scene: Scene, *, storing: Storing, where: str) -> Scene:
    """Return `scene` with its image upright, RGB and as `storing` says.

    A file that is so already is kept byte for byte. Annotations belong to the upright image of the scene's `width`
    and `height`: a camera's orientation flag is followed when that gives these proportions, and ignored otherwise.
    Where they are 0 the flag is followed, and they become the image's own.
    A segmentation belongs to the upright image too, and gets its size.

    Raises:
        FridoError: The file is no image, or its proportions are not those of the annotations; or the segmentation is
            none of that image.
    """
    with reading(where):
        with opened(io.BytesIO(scene.image), where) as file:
            kept = SUFFIXES if storing.image_format == "keep" else (FORMATS[storing.image_format],)
            keep = (
                file.format in kept and file.mode == "RGB" and not file.has_transparency_data and orientation(file) == 1
            )
            image = _oriented(file, scene, where)
            image.load()
            image = rgb(image, inverted=plain_inks(file))
        if storing.image_size is not None and min(image.size) > storing.image_size:
            image, keep = resized(image, storing.image_size), False
        content = scene.image if keep else _encoded(image, storing)
    segmentation = _fitted(scene.segmentation, image.size, where) if scene.segmentation else b""
    return replace(scene, image=content, width=image.width, height=image.height, segmentation=segmentation)


def png(pixels: np.ndarray) -> bytes:
    """Return an array `(height, width)` of uint8 or uint16, or `(height, width, 3)` of uint8, as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def renumbered(segmentation: bytes, numbers: np.ndarray, where: str) -> bytes:
    """Return a segmentation with `numbers[value]` in place of each value; see `numbers_of`.

    Raises:
        FridoError: It cannot be decoded, or has a value of no category.
    """
    with opened(io.BytesIO(segmentation), where) as file:
        values = np.asarray(file)
    if values.max() >= len(numbers):
        raise FridoError(
            where,
            got=f"the value {values.max()}",
            wanted=f"0 for none, or the index of one of {len(numbers) - 1} categories plus 1",
            do="pack the dataset again from a source that numbers its segments so",
        )
    return png(numbers[values])


def numbers_of(categories: Sequence[str], among: Sequence[str]) -> np.ndarray:
    """Return uint16, for each value of a segmentation (0, and the index of each category plus 1), the value that means
    the same `among` other categories."""
    index = {word: number for number, word in enumerate(among, start=1)}
    return np.array([0, *(index[word] for word in categories)], np.uint16)


def _encoded(image: Image.Image, storing: Storing) -> bytes:
    options = {"JPEG": {"quality": storing.quality, "subsampling": 0}, "WEBP": {"quality": storing.quality}, "PNG": {}}
    file, kind = io.BytesIO(), FORMATS[storing.image_format]
    image.info = {}  # nothing but pixels: no profile, no text
    image.save(file, kind, **options[kind])
    return file.getvalue()


def _fitted(segmentation: bytes, size: tuple[int, int], where: str) -> bytes:
    """Return a segmentation at the size of its image: the bytes as they are where it has that size already."""
    with opened(io.BytesIO(segmentation), f"segmentation, {where}") as file:
        across, down = size[0] / file.width, size[1] / file.height
        if file.format != "PNG" or file.mode not in ("L", "I;16") or abs(across - down) * min(file.size) > 1.0:
            raise FridoError(
                f"segmentation, {where}",
                got=f"{file.format} of mode {file.mode}, {file.width} x {file.height} pixels",
                wanted=f"a PNG of one channel in the proportions of the {size[0]} x {size[1]} image",
                do="give the source one value a pixel: 0, or a category's index plus 1",
            )
        return segmentation if file.size == size else png(np.asarray(file.resize(size, Image.Resampling.NEAREST)))


def _oriented(file: Image.Image, scene: Scene, where: str) -> Image.Image:
    upright = ImageOps.exif_transpose(file)
    if not scene.width:
        return upright
    for image in (upright, file):
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
