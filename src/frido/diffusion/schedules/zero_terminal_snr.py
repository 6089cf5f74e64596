"""A schedule that ends in pure noise."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.schedules.base import Schedule


class ZeroTerminalSnr(Schedule):
    """Another schedule, its `alpha` shifted and scaled to end at 0 (Lin et al., 2023, algorithm 1).

    The first step keeps its signal. What is drawn starts from pure noise, and training shows pure noise: with a
    little signal left, brightness and broad colour leak into what a chain starts from. There is nothing that `eps`
    could tell of the clean latent at such an end; `v` and `x0` can.

    Args:
        schedule: To be rescaled.
    """

    def __init__(self, *, schedule: Schedule) -> None:
        self._schedule = schedule

    def betas(self) -> Float[Tensor, "num_steps"]:
        alpha = self._schedule.alphas_cumprod.sqrt()
        alpha = (alpha - alpha[-1]) * alpha[0] / (alpha[0] - alpha[-1])
        before = torch.cat([torch.ones_like(alpha[:1]), alpha[:-1]])
        return 1 - (alpha / before) ** 2
