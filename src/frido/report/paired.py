"""Paired differences of a few runs: how large, how sure, and whether small enough not to matter."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, slots=True)
class Paired:
    """What differences say of their mean, taken as drawn independently from a normal distribution.

    `deviation` is of single differences. The p-values are those of one test alone: that there is no difference
    (two-sided); that it is at least as large as the margin, to one side or the other (two one-sided tests, Schuirmann
    1987); that it is at most as large as the margin (the interval against the margin: one side at half the level).
    Of a single difference nothing but `mean` is known.
    """

    mean: float
    deviation: float | None = None
    difference: float = 1.0
    equivalence: float = 1.0
    beyond: float = 1.0


def paired(differences: Sequence[float], *, margin: float) -> Paired:
    """Return the mean and the tests of at least one difference.

    Args:
        differences: Of a run and the one that it is compared with, pair by pair.
        margin: What a difference must be smaller than not to matter, more than 0, in the same unit.
    """
    values = np.asarray(differences, dtype=np.float64)
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return Paired(mean)
    deviation = float(values.std(ddof=1))
    error = deviation / math.sqrt(count)

    def above(distance: float) -> float:
        """Return the chance of a mean that lies so far above its true value."""
        if error == 0:
            return float(distance < 0) if distance else 0.5
        return float(stats.t.sf(distance / error, count - 1))

    return Paired(
        mean=mean,
        deviation=deviation,
        difference=2 * above(abs(mean)),
        equivalence=max(above(margin + mean), above(margin - mean)),
        beyond=min(1.0, 2 * above(abs(mean) - margin)),
    )


def half_width(deviation: float, *, count: int, confidence: float) -> float:
    """Return how far a two-sided interval for the mean of `count` differences reaches to each side of it."""
    return float(stats.t.isf((1 - confidence) / 2, count - 1)) * deviation / math.sqrt(count)


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values of several tests, corrected so that the chance of any false find keeps the level (Holm, 1979)."""
    order = sorted(range(len(p)), key=lambda k: p[k])
    corrected, largest = [0.0] * len(p), 0.0
    for rank, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[k]))
        corrected[k] = largest
    return corrected
