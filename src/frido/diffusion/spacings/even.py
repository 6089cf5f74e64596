"""Evenly spaced times."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.schedules.base import Schedule
from frido.diffusion.spacings.base import Spacing


class Even(Spacing):
    """From the last training step to the first in equal strides, with exactly as many network calls as asked for."""

    def times(self, schedule: Schedule, *, steps: int) -> Float[Tensor, "times"]:
        return torch.linspace(schedule.num_steps - 1, 0, steps + 1, dtype=torch.float64)
