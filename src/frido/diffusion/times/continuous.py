"""Any time of the schedule."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.times.base import Times


class Continuous(Times):
    """Uniform from the first step of the schedule to its last, in between too: where samplers of few steps ask."""

    def __call__(self, draw: Float[Tensor, "batch"], *, num_steps: int) -> Float[Tensor, "batch"]:
        return (draw * (num_steps - 1)).to(torch.float32)
