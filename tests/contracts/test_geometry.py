import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frido.contracts.geometry import near, predicate_between

MIDDLE = (0.4, 0.4, 0.6, 0.6)


def shifted(angle_degrees: float, distance: float = 0.3) -> tuple[float, float, float, float]:
    """A box like the middle one, moved; 0 degrees is to the right, 90 is downwards."""
    x, y = (distance * f(math.radians(angle_degrees)) for f in (math.cos, math.sin))
    return (0.4 + x, 0.4 + y, 0.6 + x, 0.6 + y)


@pytest.mark.parametrize(
    ("angle", "expected"),
    [
        *((0, "right of"), (40, "right of"), (-40, "right of")),
        *((50, "below"), (90, "below"), (130, "below")),
        *((140, "left of"), (180, "left of"), (-140, "left of")),
        *((-50, "above"), (-90, "above"), (-130, "above")),
    ],
)
def test_directions(angle, expected):
    assert predicate_between(shifted(angle), MIDDLE) == expected


def test_containment_goes_before_direction():
    assert predicate_between((0.41, 0.41, 0.5, 0.5), MIDDLE) == "inside"
    assert predicate_between(MIDDLE, (0.41, 0.41, 0.5, 0.5)) == "surrounding"


def test_containment_is_strict():
    assert predicate_between((0.4, 0.45, 0.5, 0.55), MIDDLE) == "left of"


corner = st.floats(0, 0.5)
extent = st.floats(0.05, 0.5)
boxes = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), corner, corner, extent, extent)
OPPOSITE = {"left of": "right of", "above": "below", "inside": "surrounding"}
OPPOSITE |= {value: key for key, value in OPPOSITE.items()}


@given(boxes, boxes)
def test_predicates_are_mutual(first, second):
    forth, back = predicate_between(first, second), predicate_between(second, first)
    dx, dy = (first[i] + first[i + 2] - second[i] - second[i + 2] for i in (0, 1))
    if abs(abs(dx) - abs(dy)) > 1e-9:  # on the diagonals one of both sides decides
        assert OPPOSITE[forth] == back
    assert near(first, second) == near(second, first)


def test_near_is_relative_to_size():
    assert near(shifted(0, 0.24), MIDDLE)
    assert not near(shifted(0, 0.26), MIDDLE)
    assert near((0.0, 0.0, 0.5, 0.5), (0.4, 0.4, 0.9, 0.9))
