"""Geometric relationships between boxes, as sg2im's COCO loader defines them, and `near`.

The same definitions as the procedural scenes use to write relationships; a test holds the two together.
"""

import math

Box = tuple[float, float, float, float]

PREDICATES = ("left of", "right of", "above", "below", "inside", "surrounding", "near")

NEAR = 1.25
"""`near`: the centres are closer than this many times the mean of the boxes' longer sides."""


def holds(subject: Box, predicate: str, object_: Box) -> bool:
    """Tell whether `subject predicate object` is true of two boxes `(left, top, right, bottom)`, y downwards.

    Exactly one of the six directions and containments holds for any two boxes: containment goes first, then
    the quadrant of the direction between centres (Johnson et al., 2018; sg2im's `coco.py`).
    """
    (subject_x, subject_y), (object_x, object_y) = _centre(subject), _centre(object_)
    dx, dy = subject_x - object_x, subject_y - object_y
    if predicate == "near":
        longer = [max(box[2] - box[0], box[3] - box[1]) for box in (subject, object_)]
        return math.hypot(dx, dy) < NEAR * sum(longer) / 2
    return _direction(subject, object_, math.atan2(dy, dx)) == predicate


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _direction(subject: Box, object_: Box, theta: float) -> str:
    if _contains(subject, object_):
        return "surrounding"
    if _contains(object_, subject):
        return "inside"
    if abs(theta) >= 3 * math.pi / 4:
        return "left of"
    if theta < -math.pi / 4:
        return "above"
    return "right of" if theta < math.pi / 4 else "below"


def _contains(outer: Box, inner: Box) -> bool:
    return outer[0] < inner[0] and outer[1] < inner[1] and outer[2] > inner[2] and outer[3] > inner[3]
