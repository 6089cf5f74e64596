"""Where a scene graph's nodes and arrows go: geometry alone, shared by the SVG and the pixel drawing."""

import math
import unicodedata
from dataclasses import dataclass, replace

from PIL import ImageColor

from frido.contracts.scene import Object, Scene

LINE = 17.0  # height of a line of text, in the drawing's own units
PADDING = 9.0
GAP = (46.0, 38.0)  # between nodes, so that an arrow's label fits
ROUNDS = 300  # of pushing nodes apart
LETTERS = 24  # longer words are cut; the whole word stays in the tooltip

# What a predicate says about the way from its object to its subject, in the drawing's axes (y points down).
DIRECTIONS = {
    "left of": (-1.0, 0.0),
    "right of": (1.0, 0.0),
    "above": (0.0, -1.0),
    "below": (0.0, 1.0),
    "on": (0.0, -1.0),
    "on top of": (0.0, -1.0),
    "under": (0.0, 1.0),
    "beneath": (0.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Node:
    """One object: a rounded box around `(x, y)` with its attributes above its category."""

    index: int
    attributes: str
    category: str
    x: float
    y: float
    width: float
    height: float
    color: str | None
    """A CSS colour word among its attributes."""
    frame: tuple[float, float, float, float] | None
    """Its bounding box in the drawing, where the scene has boxes."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """All relationships from one object to another: a quadratic Bezier curve with one label."""

    relationships: tuple[int, ...]
    label: str
    start: tuple[float, float]
    control: tuple[float, float]
    end: tuple[float, float]
    label_x: float
    label_y: float
    label_width: float


@dataclass(frozen=True, slots=True)
class Drawing:
    width: float
    height: float
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


def text_width(text: str, size: float = 13.0) -> float:
    """Return about how wide `text` is set in a sans-serif of `size`; generous, since fonts differ."""
    ems = sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.36 if c in " iljtfr.,'|" else 0.6 for c in text)
    return ems * size


def cut(text: str, letters: int = LETTERS) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def color_of(thing: Object) -> str | None:
    """Return the first attribute that is a CSS colour word, as CSS spells it."""
    words = (word.lower().replace(" ", "") for word in thing.attributes)
    return next((word for word in words if word in ImageColor.colormap), None)


def has_boxes(scene: Scene) -> bool:
    """Whether boxes say anything: a graph without boxes has the whole image for every object."""
    boxes = [thing.box for thing in scene.objects]
    solid = all(right > left and bottom > top for left, top, right, bottom in boxes)
    return solid and any(box != (0.0, 0.0, 1.0, 1.0) for box in boxes) and (len(set(boxes)) > 1 or len(boxes) == 1)


def arrange(scene: Scene) -> Drawing:
    """Place objects at their boxes' centres, or where their relationships put them, then pull labels apart."""
    count = len(scene.objects)
    side = max(300.0, 150.0 * math.sqrt(count))  # so that labels stay readable and nodes can part
    aspect = scene.width / scene.height if scene.width and scene.height else 1.0
    aspect = min(max(aspect, 0.75), 1.5)
    width, height = side * math.sqrt(aspect), side / math.sqrt(aspect)
    boxed = has_boxes(scene)
    if boxed:
        centres = [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in (thing.box for thing in scene.objects)]
    else:
        centres = _from_relationships(scene)
    nodes = [
        _node(index, thing, x * width, y * height, _frame(thing, width, height) if boxed else None)
        for index, (thing, (x, y)) in enumerate(zip(scene.objects, centres, strict=True))
    ]
    widest = max((node.width for node in nodes), default=0.0)
    width = max(width, widest + 20.0)
    nodes = _apart(nodes, width, height)
    return Drawing(width, height, tuple(nodes), tuple(_arrows(scene, nodes, width, height)))


def _frame(thing: Object, width: float, height: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in thing.box)
    return (left * width, top * height, right * width, bottom * height)


def _node(index: int, thing: Object, x: float, y: float, frame: tuple[float, float, float, float] | None) -> Node:
    attributes, category = cut(" ".join(thing.attributes)), cut(thing.category)
    width = max(text_width(attributes, 11.5), text_width(category), 24.0) + 2 * PADDING
    height = LINE * (2 if attributes else 1) + PADDING
    return Node(index, attributes, category, x, y, width, height, color_of(thing), frame)


def _from_relationships(scene: Scene) -> list[tuple[float, float]]:
    """Start on a circle and let every predicate that names a direction pull its two ends that way."""
    count = len(scene.objects)
    places = [
        [0.5 + 0.36 * math.sin(2 * math.pi * i / count), 0.5 - 0.36 * math.cos(2 * math.pi * i / count)]
        if count > 1
        else [0.5, 0.5]
        for i in range(count)
    ]
    for _ in range(150):
        pulls = [[0.0, 0.0] for _ in places]
        for relationship in scene.relationships:
            if relationship.subject == relationship.object:
                continue
            subject, target = places[relationship.subject], places[relationship.object]
            direction = DIRECTIONS.get(relationship.predicate)
            for axis in (0, 1):
                way = subject[axis] - target[axis]
                pull = 0.0
                if direction and direction[axis]:
                    pull = 0.1 * max(0.0, 0.4 - way * direction[axis]) * direction[axis]
                pulls[relationship.subject][axis] += pull
                pulls[relationship.object][axis] -= pull
        for i in range(count):
            for j in range(i):
                dx, dy = places[i][0] - places[j][0] + 1e-3 * (i - j), places[i][1] - places[j][1]
                distance = math.hypot(dx, dy) or 1e-3
                push = 0.05 * max(0.0, 0.34 - distance) / distance
                for axis, way in ((0, dx), (1, dy)):
                    pulls[i][axis] += push * way
                    pulls[j][axis] -= push * way
        for place, forces in zip(places, pulls, strict=True):
            for axis in (0, 1):
                place[axis] = min(max(place[axis] + forces[axis], 0.1), 0.9)
    return [(x, y) for x, y in places]


def _apart(nodes: list[Node], width: float, height: float) -> list[Node]:
    """Push overlapping nodes apart along the cheaper axis, inside the drawing.

    Nodes jammed against a border are pushed along both axes after a while, and crowds make do with less room.
    """
    places = [[node.x, node.y] for node in nodes]
    for turn in range(ROUNDS):
        moved = False
        room = 1.0 - turn / ROUNDS
        for i, first in enumerate(nodes):
            for j in range(i):
                second = nodes[j]
                lacking = (
                    (first.width + second.width) / 2 + GAP[0] * room + 2 - abs(places[i][0] - places[j][0]),
                    (first.height + second.height) / 2 + GAP[1] * room + 2 - abs(places[i][1] - places[j][1]),
                )
                if min(lacking) <= 0.01:
                    continue
                cheaper = 0 if lacking[0] < lacking[1] else 1
                for axis in (cheaper,) if turn < ROUNDS // 4 else (0, 1):
                    sign = 1.0 if places[i][axis] >= places[j][axis] else -1.0
                    push = sign * min(lacking[axis], lacking[cheaper]) / 2
                    places[i][axis] += push
                    places[j][axis] -= push
                moved = True
        for node, place in zip(nodes, places, strict=True):
            place[0] = min(max(place[0], node.width / 2 + 4), width - node.width / 2 - 4)
            place[1] = min(max(place[1], node.height / 2 + 4), height - node.height / 2 - 4)
        if not moved:
            break
    return [replace(node, x=x, y=y) for node, (x, y) in zip(nodes, places, strict=True)]


def _arrows(scene: Scene, nodes: list[Node], width: float, height: float) -> list[Arrow]:
    pairs: dict[tuple[int, int], list[int]] = {}
    for index, relationship in enumerate(scene.relationships):
        pairs.setdefault((relationship.subject, relationship.object), []).append(index)
    taken = [(node.x, node.y, node.width, node.height) for node in nodes]
    arrows = []
    for (subject, target), relationships in pairs.items():
        # dict keeps order: a predicate said twice is drawn once
        label = cut(", ".join(dict.fromkeys(scene.relationships[i].predicate for i in relationships)), 40)
        start, control, end = _curve(nodes[subject], nodes[target], bent=(target, subject) in pairs)
        size = (text_width(label, 11.0) + 6, 15.0)
        heads = [(*start, 10.0, 10.0), (*end, 18.0, 18.0)]  # an arrow must show its own ends
        x, y = _room(start, control, end, size, [*taken, *heads], width, height)
        taken.append((x, y, *size))
        arrows.append(Arrow(tuple(relationships), label, start, control, end, x, y, size[0]))
    return arrows


def _curve(subject: Node, target: Node, *, bent: bool) -> tuple[tuple[float, float], ...]:
    if subject.index == target.index:  # a loop above its node
        top = subject.y - subject.height / 2
        return (subject.x - 14, top), (subject.x, max(top - 44, 2)), (subject.x + 14, top)
    dx, dy = target.x - subject.x, target.y - subject.y
    length = math.hypot(dx, dy) or 1.0
    bend = max(0.2, 26.0 / length) if bent else 0.05  # two ways between neighbours need room for two labels
    control = ((subject.x + target.x) / 2 + dy * bend, (subject.y + target.y) / 2 - dx * bend)
    return _edge(subject, control), control, _edge(target, control)


def _edge(node: Node, towards: tuple[float, float]) -> tuple[float, float]:
    """Return where the line from a node's centre `towards` a point leaves the node, a little outside."""
    dx, dy = towards[0] - node.x, towards[1] - node.y
    reach = min(
        (node.width / 2 + 3) / abs(dx) if dx else math.inf,
        (node.height / 2 + 3) / abs(dy) if dy else math.inf,
        1.0,
    )
    return (node.x + dx * reach, node.y + dy * reach)


def bezier(
    start: tuple[float, float], control: tuple[float, float], end: tuple[float, float], t: float
) -> tuple[float, float]:
    a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
    return (a * start[0] + b * control[0] + c * end[0], a * start[1] + b * control[1] + c * end[1])


def _room(
    start: tuple[float, float],
    control: tuple[float, float],
    end: tuple[float, float],
    size: tuple[float, float],
    taken: list[tuple[float, float, float, float]],
    width: float,
    height: float,
) -> tuple[float, float]:
    """Return the place along the curve where a label of `size` covers least of what is there already."""
    length = math.hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    normal = ((end[1] - start[1]) / length, (start[0] - end[0]) / length)
    best, least = (0.0, 0.0), math.inf
    for preference, t in enumerate((0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82)):
        for aside in (0.0, 7.0, 14.0, 20.0, -7.0):  # first to the outside of the bend
            x, y = bezier(start, control, end, t)
            x = min(max(x + aside * normal[0], size[0] / 2 + 2), width - size[0] / 2 - 2)
            y = min(max(y + aside * normal[1], size[1] / 2 + 2), height - size[1] / 2 - 2)
            covered = sum(
                max(0.0, (size[0] + w) / 2 - abs(x - cx)) * max(0.0, (size[1] + h) / 2 - abs(y - cy))
                for cx, cy, w, h in taken
            )
            cost = covered + 6.0 * preference + 2.0 * abs(aside)
            if cost < least:
                best, least = (x, y), cost
    return best
