"""Every picture against another scene: what chance alone would score."""

from collections import Counter
from collections.abc import Sequence


def derangement(ids: Sequence[str]) -> list[int]:
    """Return for each row another row whose scene has another id.

    Rows sorted by id are shifted by the length of the longest run of one id, which no run survives. Empty where
    there is no such assignment.
    """
    order = sorted(range(len(ids)), key=lambda i: (ids[i], i))
    shift = max(Counter(ids).values(), default=0)
    if len(ids) < 2 * shift or not ids:
        return []
    other = [0] * len(ids)
    for place, row in enumerate(order):
        other[row] = order[(place + shift) % len(ids)]
    return other
