import pytest
from hypothesis import given
from hypothesis import strategies as st

from frido.data.sources import geometry
from frido.metrics.predicates import NEAR, PREDICATES, holds

MIDDLE = (0.4, 0.4, 0.6, 0.6)


@pytest.mark.parametrize(
    ("predicate", "box"),
    [
        ("left of", (0.0, 0.45, 0.2, 0.65)),
        ("right of", (0.8, 0.35, 1.0, 0.55)),
        ("above", (0.35, 0.0, 0.55, 0.2)),
        ("below", (0.45, 0.8, 0.65, 1.0)),
        ("inside", (0.45, 0.45, 0.55, 0.55)),
        ("surrounding", (0.2, 0.3, 0.8, 0.9)),
    ],
)
def test_the_one_predicate_that_is_true(predicate, box):
    true = [word for word in PREDICATES if word != "near" and holds(box, word, MIDDLE)]
    assert true == [predicate]


def test_near_ends_where_the_gap_reaches_its_share_of_the_sides():
    for gap, expected in ((0.2 * NEAR - 0.001, True), (0.2 * NEAR + 0.001, False)):
        moved = (MIDDLE[0] + gap, MIDDLE[1], MIDDLE[2] + gap, MIDDLE[3])
        assert holds(MIDDLE, "near", moved) is expected


corner = st.floats(0, 1)


@st.composite
def boxes(draw):
    xs, ys = sorted((draw(corner), draw(corner))), sorted((draw(corner), draw(corner)))
    return (xs[0], ys[0], xs[1], ys[1])


@given(boxes(), boxes())
def test_agrees_with_what_the_scenes_are_annotated_with(subject, object_):
    assert PREDICATES == geometry.PREDICATES
    for predicate in PREDICATES:
        assert holds(subject, predicate, object_) == geometry.holds(subject, predicate, object_)
