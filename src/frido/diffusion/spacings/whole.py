"""Whole training steps, down to the clean latent."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.schedules.base import Schedule
from frido.diffusion.spacings.base import Spacing


class Whole(Spacing):
    """Training steps from the last to the first, evenly but for rounding, and then the clean latent (time -1).

    The respacing of Nichol and Dhariwal (2021, section 4): with all steps of the schedule it is DDPM's own chain.
    """

    def times(self, schedule: Schedule, *, steps: int) -> Float[Tensor, "times"]:
        asked = torch.linspace(schedule.num_steps - 1, 0, steps, dtype=torch.float64).round()
        return torch.cat([asked, -torch.ones(1, dtype=torch.float64)])
