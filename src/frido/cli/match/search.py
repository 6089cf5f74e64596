"""Which value of a dial gives nearly a certain amount."""

from collections.abc import Callable, Iterable

MOST_TIMES = 64
"""How far a dial is turned up, over where it stands."""


def search(
    amount: Callable[[int], float], *, fits: Callable[[int], bool], target: float, start: int
) -> tuple[int | None, int | None]:
    """Return the values on both sides of `target`: the largest whose amount is less, the smallest whose is not.

    Args:
        amount: Of a value; grows with it.
        fits: Whether a value of 1 or more is possible.
        target: More than 0.
        start: A value that fits.

    Returns:
        Values that fit; `None` where there is none on that side.
    """
    low, high = 0, start
    while amount(high) < target:
        above = _first([*range(2 * high, 4 * high), *range(2 * high - 1, high, -1)], fits)
        if above is None or above > MOST_TIMES * start:
            return high, None
        low, high = high, above
    while (middle := between(low, high, fits)) is not None:
        low, high = (middle, high) if amount(middle) < target else (low, middle)
    return low or None, high


def between(low: int, high: int, fits: Callable[[int], bool]) -> int | None:
    """Return the value that fits, strictly between two others, nearest to their middle."""
    return _first(sorted(range(low + 1, high), key=lambda value: abs(value - (low + high) // 2)), fits)


def _first(values: Iterable[int], fits: Callable[[int], bool]) -> int | None:
    return next((value for value in values if fits(value)), None)
