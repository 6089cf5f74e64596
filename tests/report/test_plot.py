"""Curves: ticks are round and inside, points stay in the frame, means and bands are true."""

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frido.report.numbers import duration, short
from frido.report.plot import BUCKETS, HEIGHT, WIDTH, Curve, chart, linear_ticks, log_ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_linear_ticks_are_few_and_inside(low, size):
    high = low + size
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-3):
        return
    ticks = linear_ticks(low, high)
    margin = 1e-6 * (high - low)
    assert 1 <= len(ticks) <= 7 and all(low - margin <= tick <= high + margin for tick in ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"), [(0.0, 100.0, [0, 20, 40, 60, 80, 100]), (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1])]
)
def test_linear_ticks_are_round(low, high, ticks):
    assert linear_ticks(low, high) == pytest.approx(ticks)


@given(st.floats(-9, 9), st.floats(0.31, 12))
def test_log_ticks_are_inside(exponent, decades):
    low, high = 10**exponent, 10 ** (exponent + decades)
    ticks = log_ticks(low, high)
    assert 1 <= len(ticks) <= 10 and all(low * 0.99 <= tick <= high * 1.01 for tick in ticks)


def points_of(svg: str) -> list[tuple[float, float]]:
    path = re.search(r'class="curve" d="M(.*?)"', svg)[1]
    return [tuple(map(float, pair.split())) for pair in path.split("L")]


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.floats(-1e9, 1e9)), min_size=1, max_size=400, unique_by=lambda p: p[0])
)
def test_points_lie_in_the_frame(points):
    drawn = chart("x", [Curve("x", tuple(sorted(points)), 0)])
    for svg in filter(None, (drawn.linear, drawn.logarithmic)):
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points_of(svg))


def test_higher_values_are_drawn_higher_and_later_ones_to_the_right():
    drawn = chart("x", [Curve("x", ((0, 1.0), (10, 10.0), (20, 100.0)), 0)])
    for svg in (drawn.linear, drawn.logarithmic):
        (x0, y0), (x1, y1), (x2, y2) = points_of(svg)
        assert x0 < x1 < x2 and y0 > y1 > y2
    (_, y0), (_, y1), (_, y2) = points_of(drawn.logarithmic)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2), "equal ratios are equal heights"


def test_many_points_become_means_within_a_band():
    points = tuple((i, float(i % 2)) for i in range(BUCKETS * 4))
    drawn = chart("x", [Curve("x", points, 0)])
    values = json.loads(drawn.data)["curves"][0]["values"]
    assert len(values) == BUCKETS and set(values) == {"0.5"} and 'class="band"' in drawn.linear


def test_values_that_are_not_finite_are_left_out():
    assert chart("x", [Curve("x", ((1, math.nan), (2, math.inf)), 0)]) is None
    drawn = chart("x", [Curve("x", ((1, math.nan), (2, 3.0), (3, 4.0)), 0)])
    assert json.loads(drawn.data)["curves"][0]["images"] == [2, 3]


def test_no_logarithm_of_zero():
    assert chart("x", [Curve("x", ((1, 0.0), (2, 3.0)), 0)]).logarithmic == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.81, "0.81"), (41.3712, "41.37"), (1.7e6, "1.7M"), (32768, "32.77k"), (2e-5, "2e-05"),
     (-3.5, "-3.5"),      (math.nan, "not a number"), (-math.inf, "minus infinite")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert short(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(41.2, "41 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (59.7, "1 min 00 s")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text
