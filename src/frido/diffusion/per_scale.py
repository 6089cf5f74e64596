"""A setting that is one number for all scales, or one for each."""

from collections.abc import Sequence
from typing import TypeVar

from frido.contracts.errors import FridoError

Number = TypeVar("Number", int, float)


def at_scale(value: Number | Sequence[Number], scale: int, *, num_scales: int, setting: str) -> Number:
    """Return what holds at `scale` (0 is the coarsest) of a pyramid of `num_scales`.

    Raises:
        FridoError: `value` is a list of another length; `setting` is its name for the person who set it.
    """
    if not isinstance(value, Sequence):
        return value
    if len(value) != num_scales:
        raise FridoError(
            setting,
            got=f"{list(value)}, {len(value)} numbers",
            wanted=f"one number, or {num_scales}: one per scale of the autoencoder, coarsest first",
            do=f"{setting}=[{','.join(str(value[0]) for _ in range(num_scales))}]" if value else f"{setting}=NUMBER",
        )
    return value[scale]
