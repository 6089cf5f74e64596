"""Image files as parts of a page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from frido.contracts.errors import FridoError

LARGEST_BYTES = 150_000  # a larger file is stored again as WebP, or a page of photographs would weigh 50 MB
SMALL_PX = 160  # below this a browser's smoothing hides what the model drew


@dataclass(frozen=True, slots=True)
class Picture:
    """An embedded image: its data URI, its size in pixels, and whether it is shown with hard pixels."""

    uri: str
    width: int
    height: int
    pixelated: bool


def embed(path: Path) -> Picture:
    """Return the image in `path`, whole, for the inside of a page.

    Raises:
        FridoError: The file is missing or no image.
    """
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            kind = (image.format or "png").lower()
            width, height = image.size
            if len(content) > LARGEST_BYTES:
                packed = io.BytesIO()
                image.convert("RGB").save(packed, "webp", quality=90)
                content, kind = packed.getvalue(), "webp"
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise FridoError(
            f"picture {path}", got=error, wanted="an image file", do="Delete it, or run the stage that made it again."
        ) from None
    text = base64.b64encode(content).decode("ascii")
    return Picture(f"data:image/{kind};base64,{text}", width, height, pixelated=max(width, height) < SMALL_PX)
