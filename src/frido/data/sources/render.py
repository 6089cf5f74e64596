"""Draw one procedural scene: background, shapes with textures, then down to size. Numpy and Pillow, no torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from frido.data.sources.words import OUTLINES, RGB

SUPERSAMPLE = 4
"""Everything is drawn this many times larger and averaged: antialiasing, and masks exact to a quarter pixel."""

RIM = 0.88  # the inner part of a shape; the rest is a darker rim that separates touching shapes of one colour
RIM_SHADE = 0.62
TEXTURE_SHADE = 0.3


@dataclass(frozen=True)
class Placed:
    """A shape at its place on the supersampled canvas.

    `mask` is its whole silhouette cut to its own box, whose left top corner is at `(left, top)`;
    `seen` is the part of the mask that no later shape covers.
    """

    shape: str
    colour: str
    size: str
    texture: str
    left: int
    top: int
    mask: np.ndarray
    seen: np.ndarray
    diameter: int
    angle: float
    shade: float

    @property
    def right(self) -> int:
        return self.left + self.mask.shape[1]

    @property
    def bottom(self) -> int:
        return self.top + self.mask.shape[0]

    @property
    def visible(self) -> float:
        return float(np.count_nonzero(self.seen) / np.count_nonzero(self.mask))

    def behind(self, front: "Placed") -> np.ndarray:
        """Return what stays visible of this shape once `front` is drawn over it."""
        left, top = max(self.left, front.left), max(self.top, front.top)
        right, bottom = min(self.right, front.right), min(self.bottom, front.bottom)
        if left >= right or top >= bottom:
            return self.seen
        seen = self.seen.copy()
        over = front.mask[top - front.top : bottom - front.top, left - front.left : right - front.left]
        seen[top - self.top : bottom - self.top, left - self.left : right - self.left] &= ~over
        return seen


def silhouette(shape: str, diameter: int, scale: float = 1.0) -> Image.Image:
    """Return the mask ("L", 0 or 255) of a shape in a square of `diameter` supersampled pixels."""
    image = Image.new("L", (diameter, diameter))
    draw = ImageDraw.Draw(image)
    centre, radius = (diameter - 1) / 2, scale * (diameter - 1) / 2
    if shape == "circle":
        draw.ellipse((centre - radius, centre - radius, centre + radius, centre + radius), fill=255)
    else:
        draw.polygon([(centre + radius * x, centre + radius * y) for x, y in OUTLINES[shape]], fill=255)
    return image


def _texture(texture: str, size: tuple[int, int], diameter: int, angle: float) -> Image.Image | None:
    """Return the mask of the dark parts of a texture, or `None` for a solid one."""
    if texture == "solid":
        return None
    width, height = size
    x = np.arange(width, dtype=np.float32) - width / 2
    y = np.arange(height, dtype=np.float32)[:, None] - height / 2
    if texture == "striped":
        period = diameter / 4
        dark = np.floor(x * (2 * math.cos(angle) / period) + y * (2 * math.sin(angle) / period)) % 2 == 0
    elif texture == "checked":
        cell = diameter / 5
        dark = (np.floor(x / cell + 0.5) % 2 == 0) ^ (np.floor(y / cell + 0.5) % 2 == 0)
    else:
        pitch = diameter / 3.6
        row = np.floor(y / pitch + 0.5)
        # every other row is moved by half a pitch: squared distances along x for both kinds of row
        across = np.stack([(x / pitch + shift) % 1.0 - 0.5 for shift in (0.5, 1.0)]) ** 2
        dark = across[(row[:, 0] % 2).astype(int)] + (y / pitch - row) ** 2 < 0.3**2
    return Image.fromarray(dark.view(np.uint8) * 255)


def _paint(canvas: Image.Image, item: Placed) -> None:
    bright = tuple(min(255, round(channel * item.shade)) for channel in RGB[item.colour])
    tile = Image.new("RGB", item.mask.shape[::-1], bright)
    dark = _texture(item.texture, tile.size, item.diameter, item.angle)
    if dark is not None:
        tile.paste(tuple(round(channel * TEXTURE_SHADE) for channel in bright), None, dark)
    whole = silhouette(item.shape, item.diameter)
    inner = silhouette(item.shape, item.diameter, RIM).crop(whole.getbbox())
    rim = tuple(round(channel * RIM_SHADE) for channel in bright)
    canvas.paste(rim, (item.left, item.top), whole.crop(whole.getbbox()))
    canvas.paste(tile, (item.left, item.top), inner)


def background(random: np.random.Generator, resolution: int) -> Image.Image:
    """Return a muted background: plain, a gradient, or soft clouds."""
    kind = int(random.integers(3))
    base = random.uniform(80.0, 150.0) + random.uniform(-22.0, 22.0, size=(2, 3))  # near grey, mid bright
    if kind == 0:
        return Image.new("RGB", (resolution, resolution), tuple(int(channel) for channel in base[0]))
    if kind == 1:
        angle = random.uniform(0, 2 * math.pi)
        y, x = np.mgrid[0 : 1 : resolution * 1j, 0 : 1 : resolution * 1j] - 0.5
        amount = 0.5 + (x * math.cos(angle) + y * math.sin(angle)) / math.sqrt(2)
        contrast = random.uniform(-40.0, 40.0)
        pixels = base[0] + amount[..., None] * (base[1] + contrast - base[0])
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    grid = base[0] + random.uniform(-26.0, 26.0, size=(6, 6, 1)) + random.uniform(-6.0, 6.0, size=(6, 6, 3))
    small = Image.fromarray(grid.clip(0, 255).astype(np.uint8))
    return small.resize((resolution, resolution), Image.Resampling.BICUBIC)


def draw(items: list[Placed], behind: Image.Image) -> Image.Image:
    """Return the image of `items`, first at the back, over the background `behind`."""
    canvas = behind.resize((behind.width * SUPERSAMPLE, behind.height * SUPERSAMPLE), Image.Resampling.NEAREST)
    for item in items:
        _paint(canvas, item)
    return canvas.reduce(SUPERSAMPLE)


def segment(items: list[Placed], shapes: Sequence[str], resolution: int) -> np.ndarray:
    """Return uint8 `(resolution, resolution)`: what covers most of each pixel, hidden parts left out.

    A value is the index in `shapes` plus 1, and 0 for the background; of equal shares the smaller value wins.
    """
    canvas = np.zeros((resolution * SUPERSAMPLE, resolution * SUPERSAMPLE), np.int64)
    for item in items:
        canvas[item.top : item.bottom, item.left : item.right][item.mask] = shapes.index(item.shape) + 1
    place = np.arange(resolution * SUPERSAMPLE) // SUPERSAMPLE
    bins = (place[:, None] * resolution + place) * (len(shapes) + 1) + canvas
    shares = np.bincount(bins.ravel(), minlength=resolution**2 * (len(shapes) + 1))
    return shares.reshape(resolution, resolution, -1).argmax(-1).astype(np.uint8)
