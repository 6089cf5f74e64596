"""Which levels a convolutional trunk has."""

from collections.abc import Sequence

from frido.contracts.errors import FridoError


def factors_down_to(factor: int, *, start: int = 1) -> list[int]:
    """Return `[start, 2 * start, 4 * start, ..., factor]`.

    Raises:
        FridoError: `factor` is not `start` times a power of two.
    """
    levels = [start]
    while levels[-1] < factor:
        levels.append(2 * levels[-1])
    if levels[-1] != factor:
        raise FridoError(
            "autoencoder.factors",
            got=f"{factor}",
            wanted=f"{start} times a power of two: this network halves its grid level by level",
            do=f"a factor of {levels[-1]} or {levels[-1] // 2}",
        )
    return levels


def widths_for(factor: int, *, width: int, multipliers: Sequence[int]) -> list[int]:
    """Return the channels of each level from the image down to `factor`; the last multiplier is repeated as needed."""
    count = len(factors_down_to(factor))
    return [width * multiplier for multiplier in [*multipliers, *[multipliers[-1]] * count][:count]]
