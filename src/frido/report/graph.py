"""A scene graph as an SVG picture."""

import math
import re
from html import escape

from PIL import ImageColor

from frido.contracts.scene import Scene
from frido.report.layout import Arrow, Drawing, Node, arrange

# The page sets the variables (it has a dark side); alone, the file falls back to ink on white.
STYLE = (
    ".sg text{font-family:Inter,system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;text-anchor:middle}"
    ".sg .paper{fill:var(--graph-paper,#fff)}"
    ".sg .frame{fill:none;stroke:var(--graph-line,#9aa3ad);stroke-dasharray:3 4;opacity:.75}"
    ".sg .arrow path{fill:none;stroke:var(--graph-line,#9aa3ad);stroke-width:1.5}"
    ".sg .arrow polygon{fill:var(--graph-line,#9aa3ad)}"
    ".sg .arrow rect{fill:var(--graph-paper,#fff);opacity:.88}"
    ".sg .arrow text{font-size:11px;fill:var(--graph-ink,#4a535e)}"
    ".sg .arrow:hover path{stroke-width:3}"
    ".sg .node rect{stroke:var(--graph-line,#9aa3ad)}"
    ".sg .plain rect{fill:var(--graph-node,#eef1f4)}.sg .plain text{fill:var(--graph-ink,#262b31)}"
    ".sg .category{font-size:13px;font-weight:600}.sg .attributes{font-size:11.5px}"
)


def draw(scene: Scene) -> str:
    """Return `scene` as the text of a standalone SVG file.

    Nodes carry attributes and category, arrows their predicates; nodes stand at their boxes' centres (with the
    boxes dotted behind) or, without boxes, where their relationships put them. A colour attribute that CSS
    knows fills its node. `data-object` and `data-relationships` hold indices into the scene.
    """
    drawing = arrange(scene)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sg" viewBox="0 0 {drawing.width:.0f} {drawing.height:.0f}" '
        f'width="{drawing.width:.0f}" height="{drawing.height:.0f}" role="img">',
        f"<title>{_text(_summary(scene))}</title><style>{STYLE}</style>",
        f'<rect class="paper" width="{drawing.width:.0f}" height="{drawing.height:.0f}" rx="8"/>',
        *_frames(drawing),
        *(_arrow(arrow, scene) for arrow in drawing.arrows),
        *(_node(node, scene) for node in drawing.nodes),
        "</svg>",
    ]
    return "".join(parts)


def name_of(scene: Scene, index: int) -> str:
    """Return an object in words, "red striped circle"."""
    thing = scene.objects[index]
    return " ".join([*thing.attributes, thing.category])


def ink_on(color: str) -> str:
    """Return black or white, whichever reads better on a CSS colour, by the relative luminance of WCAG 2.

    The threshold lies above the one of equal contrast, 0.18: small black letters on pure red are hard to read.
    """
    channels = [value / 255 for value in ImageColor.getrgb(color)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#111418" if luminance > 0.3 else "#ffffff"


def _text(words: str) -> str:
    """Escape for XML, without the control characters that XML cannot hold at all."""
    return escape(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", words))


def _summary(scene: Scene) -> str:
    objects = ", ".join(name_of(scene, index) for index in range(len(scene.objects)))
    return f"Scene graph of {scene.id}: {objects or 'no objects'}"


def _frames(drawing: Drawing) -> list[str]:
    frames = []
    for node in drawing.nodes:
        if node.frame:
            left, top, right, bottom = node.frame
            stroke = f' style="stroke:{node.color}"' if node.color else ""
            size = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
            frames.append(f'<rect class="frame" {size} rx="3"{stroke}/>')
    return frames


def _arrow(arrow: Arrow, scene: Scene) -> str:
    (sx, sy), (cx, cy), (ex, ey) = arrow.start, arrow.control, arrow.end
    angle = math.atan2(ey - cy, ex - cx)
    corners = " ".join(
        f"{ex - 9 * math.cos(angle + turn):.1f},{ey - 9 * math.sin(angle + turn):.1f}" for turn in (-0.38, 0.38)
    )
    sentences = "; ".join(
        f"{name_of(scene, r.subject)} {r.predicate} {name_of(scene, r.object)}"
        for r in (scene.relationships[index] for index in arrow.relationships)
    )
    indices = " ".join(map(str, arrow.relationships))
    x, y, width = arrow.label_x, arrow.label_y, arrow.label_width
    return (
        f'<g class="arrow" data-relationships="{indices}"><title>{_text(sentences)}</title>'
        f'<path d="M{sx:.1f} {sy:.1f}Q{cx:.1f} {cy:.1f} {ex:.1f} {ey:.1f}"/>'
        f'<polygon points="{ex:.1f},{ey:.1f} {corners}"/>'
        f'<rect x="{x - width / 2:.1f}" y="{y - 7.5:.1f}" width="{width:.1f}" height="15" rx="4"/>'
        f'<text x="{x:.1f}" y="{y + 3.5:.1f}">{_text(arrow.label)}</text></g>'
    )


def _node(node: Node, scene: Scene) -> str:
    fill, ink = "", ""
    if node.color:
        fill, ink = f' style="fill:{node.color}"', f' style="fill:{ink_on(node.color)}"'
    lines = [("attributes", node.attributes, -4.0), ("category", node.category, 12.0)]
    if not node.attributes:
        lines = [("category", node.category, 4.5)]
    texts = "".join(
        f'<text class="{kind}" x="{node.x:.1f}" y="{node.y + shift:.1f}"{ink}>{_text(words)}</text>'
        for kind, words, shift in lines
    )
    left, top = node.x - node.width / 2, node.y - node.height / 2
    return (
        f'<g class="node{"" if node.color else " plain"}" data-object="{node.index}">'
        f"<title>{_text(name_of(scene, node.index))}</title>"
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{node.width:.1f}" height="{node.height:.1f}" rx="9"{fill}/>'
        f"{texts}</g>"
    )
