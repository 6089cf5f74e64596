"""Parts of picture files, stored small: without loss where pixels are compared, with little where there are many."""

import base64
import io
from functools import lru_cache
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from frido.contracts.errors import FridoError
from frido.report.picture import LARGEST_BYTES, Picture

Box = tuple[int, int, int, int]
QUALITY = 90  # of WebP with loss: 38 dB on samples of scenes, in a ninth of the bytes
HARD_PX = 160  # tiles smaller than this are enlarged with hard pixels


@lru_cache(maxsize=1024)
def _stored(path: Path, changed: int, box: Box | None, exact: bool) -> tuple[str, int, int]:
    """Return the data URI of a part of a file that was last `changed` then, and its width and height."""
    with Image.open(path) as file:
        image = file.convert("RGB").crop(box) if box else file.convert("RGB")
    content = b""
    if exact:
        content = _webp(image, lossless=True, quality=50, method=2)  # 7 % more than the most effort, 400 times as fast
    if not content or len(content) > LARGEST_BYTES:
        content = _webp(image, quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(content).decode('ascii')}", image.width, image.height


def _webp(image: Image.Image, **how: int) -> bytes:
    made = io.BytesIO()
    image.save(made, "webp", **how)
    return made.getvalue()


def stored(path: Path, *, box: Box | None, exact: bool, tile: int) -> Picture:
    """Return a part of the image in `path`, for the inside of a page.

    Args:
        path: The file; the same one is not stored twice by this process while it does not change.
        box: Left, top, right and bottom of the part, in pixels; `None` takes all.
        exact: Whether without loss, where that is at most `LARGEST_BYTES`.
        tile: The side of one of its tiles, in pixels.

    Raises:
        FridoError: The file is missing or no image.
    """
    try:
        uri, width, height = _stored(path, path.stat().st_mtime_ns, box, exact)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise FridoError(
            f"picture {path}", got=error, wanted="an image file", do="Delete it, or run the stage that made it again."
        ) from None
    return Picture(uri, width, height, pixelated=tile < HARD_PX)
