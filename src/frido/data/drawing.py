"""Annotations drawn on pictures, for people to judge whether they fit. No torch."""

import colorsys
import math
import zlib
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from frido.contracts.geometry import Box
from frido.contracts.scene import Scene

LEAST_SIDE = 640
"""Smaller pictures are enlarged to this longer side, in pixels, so that words can be read."""

INK, PAPER = "#1b1f24", "#ffffff"
Point = tuple[float, float]


def boxes_on(image: Image.Image, scene: Scene) -> Image.Image:
    """Return a copy of a picture with a scene's boxes and the arrows of its relationships drawn on it.

    Objects of one category have one colour, which is a function of the word alone. An arrow leads from the subject's
    centre to the object's and carries all predicates of that pair. Words make room for each other where they can.

    Args:
        image: What the boxes are fractions of; pictures smaller than `LEAST_SIDE` are enlarged.
        scene: Its own image is not looked at.
    """
    scale = max(1.0, LEAST_SIDE / max(image.size))
    size = round(image.width * scale), round(image.height * scale)
    picture = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    pen, unit = ImageDraw.Draw(picture), max(size) / LEAST_SIDE
    boxes = [_on(item.box, size) for item in scene.objects]
    colors = [color_of(item.category) for item in scene.objects]
    for box, color in sorted(zip(boxes, colors, strict=True), key=lambda pair: -_area(pair[0])):
        pen.rectangle(box, outline=INK, width=round(4 * unit))
        pen.rectangle(box, outline=color, width=round(2.5 * unit))
    words = _Words(pen, size, unit)
    told: dict[tuple[int, int], list[str]] = {}
    for relationship in scene.relationships:
        told.setdefault((relationship.subject, relationship.object), []).append(relationship.predicate)
    middles = [_arrow(pen, _centre(boxes[start]), _centre(boxes[end]), unit) for start, end in told]
    for item, box, color in zip(scene.objects, boxes, colors, strict=True):
        left, top, right, bottom = box
        words.write(" ".join((*item.attributes, item.category)), [(left, top), (left, bottom), (right, top)], color)
    for middle, predicates in zip(middles, told.values(), strict=True):
        words.write(", ".join(dict.fromkeys(predicates)), [middle], PAPER)
    return picture


def color_of(category: str) -> str:
    """Return a bright colour, `#rrggbb`, that is a function of the word."""
    mixed = zlib.crc32(category.encode()) * 0x9E3779B1 % 2**32
    red, green, blue = colorsys.hls_to_rgb((mixed >> 8) % 360 / 360, 0.58 + 0.14 * (mixed & 1), 0.95)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


class _Words:
    """Words on grounds of their own, each where no earlier one lies if such a place is near."""

    def __init__(self, pen: ImageDraw.ImageDraw, size: tuple[int, int], unit: float) -> None:
        self._pen, self._size, self._unit = pen, size, unit
        self._font = ImageFont.load_default(13 * unit)
        self._taken: list[Box] = []

    def write(self, text: str, places: Sequence[Point], ground: str) -> None:
        """Write `text` with its ground's left top corner at the first of `places`, or steps below, that is free."""
        text, pad = " ".join(text.split()), 2 * self._unit
        width = self._pen.textlength(text, font=self._font) + 2 * pad
        height = 13 * self._unit + 2 * pad
        tries = [self._inside(x, y + step * height, width, height) for step in range(5) for x, y in places]
        box = min(tries, key=lambda tried: sum(_overlap(tried, other) for other in self._taken))
        self._taken.append(box)
        self._pen.rectangle(box, fill=ground)
        self._pen.text((box[0] + pad, (box[1] + box[3]) / 2), text, fill=INK, font=self._font, anchor="lm")

    def _inside(self, left: float, top: float, width: float, height: float) -> Box:
        left, top = max(0.0, min(left, self._size[0] - width)), max(0.0, min(top, self._size[1] - height))
        return left, top, left + width, top + height


def _arrow(pen: ImageDraw.ImageDraw, start: Point, end: Point, unit: float) -> Point:
    """Draw an arrow that bends to its left, so that there and back are two; return its middle."""
    (x0, y0), (x1, y1) = start, end
    bend = (x0 + x1) / 2 + 0.12 * (y1 - y0), (y0 + y1) / 2 - 0.12 * (x1 - x0)
    curve: list[Point] = []
    for t in (step / 24 for step in range(25)):
        before, beside, after = (1 - t) ** 2, 2 * t * (1 - t), t**2
        curve.append((before * x0 + beside * bend[0] + after * x1, before * y0 + beside * bend[1] + after * y1))
    angle = math.atan2(y1 - bend[1], x1 - bend[0])
    head = [(x1 - 11 * unit * math.cos(angle + turn), y1 - 11 * unit * math.sin(angle + turn)) for turn in (-0.4, 0.4)]
    for color, width in ((INK, 4 * unit), (PAPER, 2 * unit)):
        pen.line(curve, fill=color, width=round(width), joint="curve")
    pen.polygon([end, *head], fill=PAPER, outline=INK)
    pen.ellipse((x0 - 3 * unit, y0 - 3 * unit, x0 + 3 * unit, y0 + 3 * unit), fill=PAPER, outline=INK)
    return curve[12]


def _on(box: Box, size: tuple[int, int]) -> Box:
    (left, top, right, bottom), (width, height) = box, size
    return left * width, top * height, max(left * width, right * width - 1), max(top * height, bottom * height - 1)


def _centre(box: Box) -> Point:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _overlap(one: Box, other: Box) -> float:
    across, down = (min(one[k + 2], other[k + 2]) - max(one[k], other[k]) for k in (0, 1))
    return max(0.0, across) * max(0.0, down)
