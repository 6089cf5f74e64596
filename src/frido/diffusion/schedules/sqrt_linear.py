"""The schedule of LDM and Frido."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.schedules.base import Schedule


class SqrtLinear(Schedule):
    """Betas whose square roots are evenly spaced; the official code calls this "linear".

    Args:
        num_steps: Number of training steps.
        start: First beta.
        end: Last beta.
    """

    def __init__(self, *, num_steps: int, start: float, end: float) -> None:
        self._steps, self._start, self._end = num_steps, start, end

    def betas(self) -> Float[Tensor, "num_steps"]:
        return torch.linspace(self._start**0.5, self._end**0.5, self._steps, dtype=torch.float64) ** 2
