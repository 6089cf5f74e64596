"""Times even in noise level."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.schedules.base import Schedule
from frido.diffusion.spacings.base import Spacing


class LogSnr(Spacing):
    """Equal strides of the log signal-to-noise ratio (DPM-Solver, Lu et al., 2022), exactly `steps` network calls."""

    def times(self, schedule: Schedule, *, steps: int) -> Float[Tensor, "times"]:
        first, last = schedule.log_snr(torch.tensor([schedule.num_steps - 1.0, 0.0])).tolist()
        inner = schedule.time(torch.linspace(first, last, steps + 1, dtype=torch.float64))
        inner[0], inner[-1] = schedule.num_steps - 1, 0
        return inner
