"""Image files of any kind -> upright 8-bit RGB. No torch."""

import numpy as np
from PIL import ExifTags, Image, ImageChops, ImageOps


def upright(stored: Image.Image) -> Image.Image:
    """Return what a file shows: a camera's orientation flag is followed, whatever the mode was is RGB.

    Raises:
        ValueError: See `rgb`.
    """
    turned = ImageOps.exif_transpose(stored) if orientation(stored) != 1 else stored
    return rgb(turned, inverted=plain_inks(stored))


def orientation(stored: Image.Image) -> int:
    """Return the camera's orientation flag of a file, 1 to 8; 1 where it has none or another."""
    flag = stored.getexif().get(ExifTags.Base.Orientation, 1)
    return flag if flag in range(1, 9) else 1


def plain_inks(stored: Image.Image) -> bool:
    """Return whether a file is a JPEG without Adobe's mark.

    With the mark inks are stored inverted, without it as they are; Pillow turns both round.
    """
    return stored.format == "JPEG" and "adobe" not in stored.info


def rgb(image: Image.Image, *, inverted: bool) -> Image.Image:
    """Return an image of any mode as 8-bit RGB.

    16-bit grey is scaled, what is transparent shows white, CMYK is converted without colour profiles.

    Args:
        inverted: Whether the inks of a CMYK image were turned round by mistake; see `plain_inks`.

    Raises:
        ValueError: The mode has no agreed range (32-bit integers beyond 16 bits, floats).
    """
    if image.mode == "CMYK" and inverted:
        image = ImageChops.invert(image)
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise ValueError(f"grey values from {grey.min()} to {grey.max()}")
        image = Image.fromarray(((grey + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("pixels that are floats")
    if image.has_transparency_data:
        pixels = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", pixels.size, "white"), pixels)
    return image if image.mode == "RGB" else image.convert("RGB")


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height once a camera's orientation flag is followed, pixels."""
    return (image.height, image.width) if orientation(image) >= 5 else image.size
