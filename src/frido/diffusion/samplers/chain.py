"""What the steps of a sampler are made of."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from frido.contracts.denoiser import Denoise
from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.schedules.base import Schedule

Watch = Callable[[int, Tensor], None]
"""`watch(step, clean)` is told the clean latent that the network sees at `times[step]`; of several calls for a step, as
of samplers that try one first, the last is the one that counts."""


class Chain:
    """The noise levels of one chain, and what the network believes at each.

    `alphas`, `sigmas` and `lambdas` (`log(alpha / sigma)`) are float64, one per time, on the CPU. A time below 0
    is the clean latent itself: `alpha` 1, `sigma` 0.

    Args:
        denoise: With its condition filled in.
        schedule: Of the noise.
        parameterization: What the network predicts.
        times: Noisy to clean; the last is where the chain ends.
        noise: `noise(step)`, standard normal of the latent's shape.
        watch: Told what the network believes, whenever it is asked; `None` tells nobody.
    """

    def __init__(
        self,
        *,
        denoise: Denoise,
        schedule: Schedule,
        parameterization: Parameterization,
        times: Float[Tensor, "times"],
        noise: Callable[[int], Tensor],
        watch: Watch | None = None,
    ) -> None:
        self.denoise, self.parameterization, self.times, self.noise = denoise, parameterization, times, noise
        self.watch = watch
        self.lambdas = torch.where(times < 0, torch.inf, schedule.log_snr(times) / 2)
        self.alphas = torch.sigmoid(2 * self.lambdas).sqrt()
        self.sigmas = torch.sigmoid(-2 * self.lambdas).sqrt()

    def ask(
        self, noisy: Float[Tensor, "batch channels height width"], step: int
    ) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch channels height width"]]:
        """Return the clean latent and the noise that the network sees in `noisy` at `times[step]`: one call of it."""
        time = torch.full((len(noisy),), self.times[step].item(), device=noisy.device)
        prediction = self.denoise(noisy, time).to(noisy.dtype)
        level = noisy, self.alphas[step].to(noisy), self.sigmas[step].to(noisy)
        clean = self.parameterization.to_clean(prediction, *level)
        if self.watch is not None:
            self.watch(step, clean)
        return clean, self.parameterization.to_noise(prediction, *level)

    def mix(
        self, clean: Float[Tensor, "batch channels height width"], noise: Tensor, step: int
    ) -> Float[Tensor, "batch channels height width"]:
        """Return `alpha * clean + sigma * noise` at `times[step]`."""
        return self.alphas[step].to(clean) * clean + self.sigmas[step].to(clean) * noise
