"""DPM-Solver++."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from frido.contracts.denoiser import Denoise
from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.samplers.base import Sampler
from frido.diffusion.schedules.base import Schedule
from frido.diffusion.spacings.base import Spacing


class DpmSolverPp(Sampler):
    """DPM-Solver++(2M): second order from one network call a step (Lu et al., 2022b, algorithm 2).

    Deterministic; `noise` is never asked for. The first step is of first order, since nothing precedes it.

    Args:
        schedule: Run time.
        parameterization: Run time.
        spacing: Times of the network calls.
        steps: Network calls per scale.
    """

    def __init__(self, *, schedule: Schedule, parameterization: Parameterization, spacing: Spacing, steps: int) -> None:
        self.schedule, self.parameterization = schedule, parameterization
        self.times = spacing.times(schedule, steps=steps)

    def __call__(
        self,
        denoise: Denoise,
        noisy: Float[Tensor, "batch channels height width"],
        *,
        noise: Callable[[int], Tensor],
    ) -> Float[Tensor, "batch channels height width"]:
        alphas, sigmas = self.schedule.alpha(self.times), self.schedule.sigma(self.times)
        h = (self.schedule.log_snr(self.times) / 2).diff()  # strides of lambda = log(alpha / sigma)

        previous: Tensor | None = None
        for step, time in enumerate(self.times[:-1].tolist()):
            alpha, sigma = alphas[step].to(noisy), sigmas[step].to(noisy)
            prediction = denoise(noisy, torch.full((len(noisy),), time, device=noisy.device)).to(noisy.dtype)
            clean = self.parameterization.to_clean(prediction, noisy, alpha, sigma)
            extrapolated = clean
            if previous is not None:
                r = h[step - 1] / h[step]
                extrapolated = clean + ((clean - previous) / (2 * r)).to(noisy.dtype)
            shrink = (sigmas[step + 1] / sigmas[step]).to(noisy)
            grow = (-alphas[step + 1] * torch.expm1(-h[step])).to(noisy)
            noisy = shrink * noisy + grow * extrapolated
            previous = clean
        return noisy
