"""Times even in noise level."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.schedules.base import Schedule
from frido.diffusion.spacings.base import Spacing


class LogSnr(Spacing):
    """Equal strides of the log signal-to-noise ratio (DPM-Solver, Lu et al., 2022), exactly `steps` network calls.

    From an end without any signal, whose logarithm is minus infinity, the strides are those from the step before it.
    """

    def times(self, schedule: Schedule, *, steps: int) -> Float[Tensor, "times"]:
        last = schedule.num_steps - 1.0
        first = last - 1 if schedule.ends_in_noise else last
        noisy, clean = schedule.log_snr(torch.tensor([first, 0.0])).tolist()
        times = schedule.time(torch.linspace(noisy, clean, steps + 1, dtype=torch.float64))
        times[0], times[-1] = last, 0
        return times
