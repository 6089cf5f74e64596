"""Randomness belongs to the sample: functions of `(seed, position, purpose)`, never of rank or batch.

The generator is Philox (Salmon et al., 2011), keyed by position, so any sample's noise can be drawn alone.
"""

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def generator(seed: int, position: int, purpose: str) -> np.random.Generator:
    """Return the random stream of one sample for one purpose ("noise/1", "time", "dropout")."""
    word = (seed << 32) ^ zlib.crc32(purpose.encode())
    return np.random.Generator(np.random.Philox(key=[word & (2**64 - 1), position]))


def normal(
    positions: Int[Tensor, "batch"], *, seed: int, purpose: str, shape: Sequence[int]
) -> Float[Tensor, "batch ..."]:
    """Return standard normal float32 noise `(batch, *shape)` on the device of `positions`."""
    rows = [generator(seed, int(p), purpose).standard_normal(tuple(shape), np.float32) for p in positions.tolist()]
    return torch.from_numpy(np.stack(rows)).to(positions.device)


def uniform(positions: Int[Tensor, "batch"], *, seed: int, purpose: str) -> Float[Tensor, "batch"]:
    """Return one float64 number in [0, 1) per sample."""
    rows = [generator(seed, int(p), purpose).random() for p in positions.tolist()]
    return torch.tensor(rows, dtype=torch.float64, device=positions.device)
