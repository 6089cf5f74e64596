"""Pictures of pictures: a scene graph as pixels, and rows of images under labels."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from frido.contracts.scene import Scene
from frido.report.graph import ink_on
from frido.report.layout import arrange, bezier

PAPER, INK, LINE, PLAIN = "#ffffff", "#262b31", "#8a94a0", "#eef1f4"
SHARPER = 3  # drawn this much larger and scaled down: Pillow's lines have no smooth edges


def paint(scene: Scene, *, side: int) -> Image.Image:
    """Return what `graph.draw` draws as an RGB image whose longer side is `side` pixels."""
    drawing = arrange(scene)
    scale = SHARPER * side / max(drawing.width, drawing.height)
    image = Image.new("RGB", (round(drawing.width * scale), round(drawing.height * scale)), PAPER)
    pen = ImageDraw.Draw(image)
    large, small, tiny = (ImageFont.load_default(size * scale) for size in (13.0, 11.5, 11.0))

    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x * scale, y * scale) for x, y in points]

    for node in drawing.nodes:
        if node.frame:
            left, top, right, bottom = node.frame
            pen.rectangle(at((left, top), (right, bottom)), outline=node.color or LINE, width=round(scale))
    for arrow in drawing.arrows:
        curve = [bezier(arrow.start, arrow.control, arrow.end, step / 24) for step in range(25)]
        pen.line(at(*curve), fill=LINE, width=round(1.6 * scale), joint="curve")
        (cx, cy), (ex, ey) = arrow.control, arrow.end
        angle = math.atan2(ey - cy, ex - cx)
        corners = [(ex - 9 * math.cos(angle + turn), ey - 9 * math.sin(angle + turn)) for turn in (-0.38, 0.38)]
        pen.polygon(at(arrow.end, *corners), fill=LINE)
        x, y, half = arrow.label_x, arrow.label_y, arrow.label_width / 2
        pen.rectangle(at((x - half, y - 7.5), (x + half, y + 7.5)), fill=PAPER)
        pen.text(at((x, y))[0], arrow.label, fill=INK, font=tiny, anchor="mm")
    for node in drawing.nodes:
        corners = [
            (node.x - node.width / 2, node.y - node.height / 2),
            (node.x + node.width / 2, node.y + node.height / 2),
        ]
        pen.rounded_rectangle(
            at(*corners), radius=9 * scale, fill=node.color or PLAIN, outline=LINE, width=round(scale)
        )
        ink = ink_on(node.color) if node.color else INK
        shift = 8.0 if node.attributes else 0.0
        if node.attributes:
            pen.text(at((node.x, node.y - shift))[0], node.attributes, fill=ink, font=small, anchor="mm")
        pen.text(at((node.x, node.y + shift))[0], node.category, fill=ink, font=large, anchor="mm")
    return image.resize((max(1, image.width // SHARPER), max(1, image.height // SHARPER)), Image.Resampling.LANCZOS)


def sheet(rows: Sequence[Sequence[Image.Image]], labels: Sequence[str], *, side: int) -> Image.Image:
    """Return rows of images on white, each image fitted into a square of `side` pixels, under one label per column.

    Small images are enlarged with hard pixels, large ones shrunk smoothly.
    """
    if any(len(row) > len(labels) for row in rows):
        raise ValueError(f"{len(labels)} labels for rows of {[len(row) for row in rows]} images")
    gap, head = max(4, side // 20), max(16, side // 8)
    font = ImageFont.load_default(head * 0.62)
    width, height = gap + len(labels) * (side + gap), head + gap + len(rows) * (side + gap)
    page = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(page)
    for column, label in enumerate(labels):
        pen.text((gap + column * (side + gap) + side / 2, gap + head / 2), label, fill=INK, font=font, anchor="mm")
    for line, row in enumerate(rows):
        for column, image in enumerate(row):
            scale = side / max(image.size)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
            left = gap + column * (side + gap) + (side - size[0]) // 2
            top = gap + head + line * (side + gap) + (side - size[1]) // 2
            page.paste(image.convert("RGB").resize(size, how), (left, top))
    return page
