"""DDIM."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from frido.contracts.denoiser import Denoise
from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.samplers.base import Sampler
from frido.diffusion.schedules.base import Schedule
from frido.diffusion.spacings.base import Spacing


class Ddim(Sampler):
    """Steps along the noise that the network sees (Song et al., 2021, eq. 12 and 16).

    Args:
        schedule: Run time.
        parameterization: Run time.
        spacing: Times of the network calls.
        steps: Network calls per scale (the official spacing may add one).
        eta: Fresh noise of a step: 0 none, 1 as much as the ancestral sampler.
    """

    def __init__(
        self,
        *,
        schedule: Schedule,
        parameterization: Parameterization,
        spacing: Spacing,
        steps: int,
        eta: float,
    ) -> None:
        self.schedule, self.parameterization, self.eta = schedule, parameterization, eta
        self.times = spacing.times(schedule, steps=steps)

    def __call__(
        self,
        denoise: Denoise,
        noisy: Float[Tensor, "batch channels height width"],
        *,
        noise: Callable[[int], Tensor],
    ) -> Float[Tensor, "batch channels height width"]:
        alphas, sigmas = self.schedule.alpha(self.times), self.schedule.sigma(self.times)
        # eq. 16: fresh noise of each step
        ratios = (sigmas[1:] / sigmas[:-1]) ** 2 * (1 - (alphas[:-1] / alphas[1:]) ** 2)
        fresh = self.eta * ratios.clamp(min=0).sqrt()

        for step, time in enumerate(self.times[:-1].tolist()):
            alpha, sigma = alphas[step].to(noisy), sigmas[step].to(noisy)
            prediction = denoise(noisy, torch.full((len(noisy),), time, device=noisy.device)).to(noisy.dtype)
            clean = self.parameterization.to_clean(prediction, noisy, alpha, sigma)
            eps = self.parameterization.to_noise(prediction, noisy, alpha, sigma)
            direction = (sigmas[step + 1] ** 2 - fresh[step] ** 2).sqrt().to(noisy)
            noisy = alphas[step + 1].to(noisy) * clean + direction * eps
            if self.eta > 0:
                noisy = noisy + fresh[step].to(noisy) * noise(step)
        return noisy
