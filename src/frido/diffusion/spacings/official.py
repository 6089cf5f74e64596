"""The times of the official DDIM code."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.contracts.errors import FridoError
from frido.diffusion.schedules.base import Schedule
from frido.diffusion.spacings.base import Spacing


class Official(Spacing):
    """Every `num_steps // steps`-th training step, plus one.

    Kept for parity, with its quirks: the chain starts below the last training step, and where `steps` does not divide
    the schedule there are more network calls than asked for (7 of 1000 gives 8).
    """

    def times(self, schedule: Schedule, *, steps: int) -> Float[Tensor, "times"]:
        stride = max(schedule.num_steps // steps, 1)
        times = torch.arange(0, schedule.num_steps, stride) + 1
        if int(times[-1]) >= schedule.num_steps:
            raise FridoError(
                "diffusion.sampler.steps",
                got=f"{steps} official steps of a schedule of {schedule.num_steps}",
                wanted="times that stay inside the schedule after one is added to each",
                do="use fewer steps, or spacing=even, which takes any number",
            )
        return torch.cat([times.flip(0), torch.zeros(1, dtype=times.dtype)]).double()
