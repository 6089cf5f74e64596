"""Orders, one position at a time."""

import numpy as np

from frido.data.rows import Positions


def at(order: Positions, position: int) -> int:
    """Return the row at a position."""
    return int(order.indices(np.array([position]))[0])
