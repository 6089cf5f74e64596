"""Batches of one length, so that what a network says of an image depends on no other."""

from collections.abc import Iterator

import torch
from jaxtyping import Shaped
from torch import Tensor

ROWS = 16
"""Rows that a network sees at once, always: convolutions choose their arithmetic by the batch's length."""


def full_batches(rows: Shaped[Tensor, "rows ..."]) -> Iterator[tuple[Shaped[Tensor, "batch ..."], int]]:
    """Yield `ROWS` rows at a time, the last ones filled up with zeros, and how many of them are true."""
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        blank = part.new_zeros(ROWS - len(part), *part.shape[1:])
        yield torch.cat([part, blank]), len(part)
