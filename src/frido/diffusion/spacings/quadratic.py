"""The quadratic times of the official DDIM code."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.schedules.base import Schedule
from frido.diffusion.spacings.base import Spacing


class Quadratic(Spacing):
    """Squares of evenly spaced numbers up to 0.8 of the schedule, plus one: finer where there is little noise.

    With many steps (50 of 1000) the last times repeat, as they do officially; DDIM does not mind, solvers do.
    """

    def times(self, schedule: Schedule, *, steps: int) -> Float[Tensor, "times"]:
        last = (0.8 * schedule.num_steps) ** 0.5
        times = (torch.linspace(0, last, steps, dtype=torch.float64) ** 2).long() + 1
        return torch.cat([times.flip(0), torch.zeros(1, dtype=times.dtype)]).double()
