"""Thinned curves keep their means, ranges and moments; numbers read well."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frido.report.bars import linear_ticks
from frido.report.numbers import duration, short
from frido.report.series import Axes, drawn, per_curve, thinned

points = st.lists(
    st.tuples(st.integers(0, 10**7), st.floats(-1e6, 1e6)), min_size=1, max_size=300, unique_by=lambda point: point[0]
).map(lambda found: tuple(sorted(found)))


@given(points, st.integers(10, 60))
def test_thinned_points_are_few_in_order_and_within_their_range(series, buckets):
    last = series[-1][0]
    parts = thinned(series, last=last, buckets=buckets)
    images = [part[0] for part in parts]
    assert len(parts) <= buckets + 1 and images == sorted(set(images)) and images[-1] == last
    assert min(low for _, _, low, _ in parts) == min(value for _, value in series)
    assert max(high for *_, high in parts) == max(value for _, value in series)
    slack = 1e-9 * max(1.0, max(abs(value) for _, value in series))
    assert all(low - slack <= mean <= high + slack for _, mean, low, high in parts)


def test_means_are_of_equal_stretches():
    series = tuple((images, float(images % 2)) for images in range(1, 401))
    parts = thinned(series, last=400, buckets=100)
    assert len(parts) == 100 and {part[1:] for part in parts} == {(0.5, 0.0, 1.0)}


def test_a_shorter_run_keeps_the_moments_of_a_longer_one():
    long = tuple((images, 0.0) for images in range(10, 10_001, 10))
    first, second = (thinned(series, last=10_000, buckets=100) for series in (long, long[:500]))
    assert [part[0] for part in second] == [part[0] for part in first][: len(second)], "or seeds have no common moments"


def test_values_that_are_not_finite_are_left_out():
    assert thinned(((1, math.nan), (2, 3.0), (3, math.inf)), last=3, buckets=10) == [(2, 3.0, 3.0, 3.0)]


def test_equal_moments_are_written_once():
    axes = Axes()
    series = ((1, 1.0), (2, 2.0))
    curves = [drawn(part, axes, last=4, buckets=50, band=False) for part in (series, series, ((4, 1.0),))]
    assert [curve["x"] for curve in curves] == [0, 0, 1] and axes.rows == [[1, 2], [4]]


def test_many_curves_get_fewer_points_each():
    assert per_curve(1) == 160 and per_curve(90) == 60 and per_curve(40) == 100


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
