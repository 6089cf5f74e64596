"""Geometric relationships between boxes: sg2im's six predicates, and `near`.

The six are those of sg2im's COCO loader (google/sg2im, `sg2im/data/coco.py`; Johnson et al., 2018), with the
centres of boxes in the place of the centres of masks, so that they can be checked from annotations alone.
"""

import math

Box = tuple[float, float, float, float]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
"""The whole image."""

PREDICATES = ("left of", "right of", "above", "below", "inside", "surrounding", "near")


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _contains(outer: Box, inner: Box) -> bool:
    return outer[0] < inner[0] and outer[1] < inner[1] and outer[2] > inner[2] and outer[3] > inner[3]


def predicate_between(subject: Box, object_: Box) -> str:
    """Return the one of the six predicates that holds: containment first, else the direction from object to subject."""
    if _contains(subject, object_):
        return "surrounding"
    if _contains(object_, subject):
        return "inside"
    (subject_x, subject_y), (object_x, object_y) = _centre(subject), _centre(object_)
    theta = math.atan2(subject_y - object_y, subject_x - object_x)  # y points down: negative angles are above
    if abs(theta) >= 3 * math.pi / 4:
        return "left of"
    if theta < -math.pi / 4:
        return "above"
    return "right of" if theta < math.pi / 4 else "below"


def clipped(box: Box) -> Box:
    """Return what of a box is inside the image."""
    left, top, right, bottom = (min(1.0, max(0.0, edge)) for edge in box)
    return left, top, right, bottom


def near(subject: Box, object_: Box) -> bool:
    """Tell whether the centres are closer than 1.25 times the mean of the two boxes' longer sides."""
    (subject_x, subject_y), (object_x, object_y) = _centre(subject), _centre(object_)
    sides = [max(box[2] - box[0], box[3] - box[1]) for box in (subject, object_)]
    return math.hypot(subject_x - object_x, subject_y - object_y) < 1.25 * sum(sides) / 2


def holds(subject: Box, name: str, object_: Box) -> bool:
    """Tell whether `subject name object` is true of two boxes; `name` is one of `PREDICATES`."""
    return near(subject, object_) if name == "near" else predicate_between(subject, object_) == name
