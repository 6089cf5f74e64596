"""Paired differences against closed forms, and how often their claims are wrong."""

import math

import numpy as np
import pytest
from scipy import stats

from frido.report.paired import half_width, holm, paired

FIVE = [1.0, 2.0, 3.0, 4.0, 5.0]
T_975, T_95 = 2.7764451, 2.1318468  # of Student's distribution with 4 degrees of freedom, from a table
ERROR = math.sqrt(2.5 / 5)


def test_mean_and_deviation():
    found = paired(FIVE, margin=1.0)
    assert found.mean == pytest.approx(3.0) and found.deviation == pytest.approx(math.sqrt(2.5))


def test_interval_by_the_table():
    assert half_width(math.sqrt(2.5), count=5, confidence=0.95) == pytest.approx(T_975 * ERROR, rel=1e-6)


def test_difference_is_the_paired_t_test():
    dice = np.random.default_rng(0)
    one, other = dice.normal(size=8), dice.normal(size=8)
    expected = stats.ttest_rel(one, other).pvalue
    assert paired(list(one - other), margin=1.0).difference == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_equivalence_begins_where_the_90_percent_interval_lies_within_the_margins(sign):
    edge = 3.0 + T_95 * ERROR
    values = [sign * value for value in FIVE]
    assert paired(values, margin=edge).equivalence == pytest.approx(0.05, rel=1e-5)
    assert paired(values, margin=1.01 * edge).equivalence < 0.05 < paired(values, margin=0.99 * edge).equivalence


@pytest.mark.parametrize("sign", [1, -1])
def test_beyond_begins_where_the_95_percent_interval_leaves_the_margin(sign):
    edge = 3.0 - T_975 * ERROR
    assert paired([sign * value for value in FIVE], margin=edge).beyond == pytest.approx(0.05, rel=1e-5)


def test_differences_without_noise():
    same, apart = paired([0.0] * 4, margin=1.0), paired([3.0] * 4, margin=1.0)
    assert (same.difference, same.equivalence) == (1.0, 0.0)
    assert (apart.difference, apart.equivalence, apart.beyond) == (0.0, 1.0, 0.0)


def test_one_difference_tells_nothing():
    found = paired([3.0], margin=1.0)
    assert found.deviation is None and found.difference == found.equivalence == found.beyond == 1.0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0] and holm([]) == []


def test_claims_are_wrong_as_often_as_they_may():
    """Of differences around the margin, every twentieth at most is called small; intervals miss every twentieth."""
    dice = np.random.default_rng(1)
    draws = dice.normal(loc=1.0, scale=0.5, size=(2000, 6))
    found = [paired(list(row), margin=1.0) for row in draws]
    missed = [abs(one.mean - 1.0) > half_width(one.deviation, count=6, confidence=0.95) for one in found]
    small = [one.equivalence < 0.05 for one in found]
    assert np.mean(missed) == pytest.approx(0.05, abs=0.015)
    assert np.mean(small) == pytest.approx(0.05, abs=0.015)
