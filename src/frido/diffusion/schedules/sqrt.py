"""The square-root schedule of the latent-diffusion code."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.schedules.base import Schedule


class Sqrt(Schedule):
    """Betas that are square roots of evenly spaced numbers.

    Args:
        num_steps: Number of training steps.
        start: Square of the first beta.
        end: Square of the last beta.
    """

    def __init__(self, *, num_steps: int, start: float, end: float) -> None:
        self._steps, self._start, self._end = num_steps, start, end

    def betas(self) -> Float[Tensor, "num_steps"]:
        return torch.linspace(self._start, self._end, self._steps, dtype=torch.float64) ** 0.5
