"""The cosine schedule."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.schedules.base import Schedule


class Cosine(Schedule):
    """`alpha^2` follows a squared cosine of time (Nichol and Dhariwal, 2021, eq. 17).

    Args:
        num_steps: Number of training steps.
        offset: Keeps the first betas from vanishing; `s` in the paper.
        max_beta: Betas are cut here, so that a little signal is left at the end.
    """

    def __init__(self, *, num_steps: int, offset: float, max_beta: float) -> None:
        self._settings = num_steps, offset, max_beta

    def betas(self) -> Float[Tensor, "num_steps"]:
        num_steps, s, max_beta = self._settings
        time = torch.arange(num_steps + 1, dtype=torch.float64) / num_steps
        alpha_bar = torch.cos((time + s) / (1 + s) * math.pi / 2) ** 2
        return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=max_beta)
