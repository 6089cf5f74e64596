"""Whole steps of the schedule."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.times.base import Times


class Discrete(Times):
    """Every step of the schedule equally often (Ho et al., 2020, algorithm 1); Frido and LDM train so."""

    def __call__(self, draw: Float[Tensor, "batch"], *, num_steps: int) -> Float[Tensor, "batch"]:
        return (draw * num_steps).floor().to(torch.float32)
