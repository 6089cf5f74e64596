"""Randomness belongs to the sample: functions of `(seed, position, purpose)`, never of rank or batch."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from frido.contracts.philox import generator


def normal(
    positions: Int[Tensor, "batch"],
    *,
    seed: int,
    purpose: str,
    shape: Sequence[int],
    device: torch.device | None = None,
) -> Float[Tensor, "batch ..."]:
    """Return standard normal float32 noise `(batch, *shape)`.

    Args:
        positions: Keys of the samples. On a GPU they have to be waited for; who draws often keeps them on the CPU.
        seed: Of the run.
        purpose: See `generator`.
        shape: Of one sample's noise.
        device: Where the noise is wanted; `None` is where the positions are.
    """
    rows = [generator(seed, int(p), purpose).standard_normal(tuple(shape), np.float32) for p in positions.tolist()]
    return _sent(torch.from_numpy(np.stack(rows)), positions.device if device is None else device)


def uniform(
    positions: Int[Tensor, "batch"], *, seed: int, purpose: str, device: torch.device | None = None
) -> Float[Tensor, "batch"]:
    """Return one float64 number in [0, 1) per sample; for the arguments see `normal`."""
    rows = [generator(seed, int(p), purpose).random() for p in positions.tolist()]
    return _sent(torch.tensor(rows, dtype=torch.float64), positions.device if device is None else device)


def _sent(drawn: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on `device`; a GPU gets it in its turn, and nobody waits for that."""
    return drawn.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else drawn.to(device)
