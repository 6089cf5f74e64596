"""Logged numbers, thinned for drawing."""

import math
from collections.abc import Sequence
from typing import Any

from frido.report.run import Series

MOST, LEAST = 160, 60  # points drawn of a curve
BUDGET = 4000  # points drawn of all curves of a chart, about
DIGITS = 5


def per_curve(curves: int) -> int:
    """Return how many points to draw of each of so many curves in one chart."""
    return max(LEAST, min(MOST, BUDGET // max(curves, 1)))


def thinned(points: Series, *, last: int, buckets: int) -> list[tuple[int, float, float, float]]:
    """Return `(images, mean, least, greatest)` of up to `buckets` equal stretches of `[0, last]`; not finite values
    are left out.

    Stretches are places on the axis, not numbers of points, so that runs that were logged at the same moments stay
    at the same moments. Each stands at the last of its points.
    """
    found: dict[int, list[tuple[int, float]]] = {}
    width = max(last / buckets, 1.0)
    finite = [(images, value) for images, value in points if math.isfinite(value)]
    if len(finite) <= buckets:
        return [(images, value, value, value) for images, value in finite]
    for images, value in finite:
        found.setdefault(math.ceil(images / width), []).append((images, value))
    return [
        (part[-1][0], sum(v for _, v in part) / len(part), min(v for _, v in part), max(v for _, v in part))
        for part in found.values()
    ]


def rounded(values: Sequence[float]) -> list[float]:
    """Return values as few digits as a drawing needs."""
    return [float(f"{value:.{DIGITS}g}") for value in values]


class Axes:
    """Places on the horizontal axis, each row of them written once however many curves share it."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self._known: dict[tuple[int, ...], int] = {}

    def of(self, images: Sequence[int]) -> int:
        """Return the number of the row that holds `images`."""
        key = tuple(images)
        if key not in self._known:
            self._known[key] = len(self.rows)
            self.rows.append(list(key))
        return self._known[key]


def drawn(points: Series, axes: Axes, *, last: int, buckets: int, band: bool) -> dict[str, Any]:
    """Return a curve as its script reads it; with `band`, the range of each stretch that holds several values."""
    parts = thinned(points, last=last, buckets=buckets)
    curve: dict[str, Any] = {
        "x": axes.of([images for images, *_ in parts]),
        "y": rounded([mean for _, mean, *_ in parts]),
    }
    if band and any(least < greatest for _, _, least, greatest in parts):
        curve["low"] = rounded([least for _, _, least, _ in parts])
        curve["high"] = rounded([greatest for *_, greatest in parts])
    return curve
