"""DDIM."""

from torch import Tensor

from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.samplers.base import Sampler, Step
from frido.diffusion.samplers.chain import Chain
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
        steps: int | list[int],
        eta: float,
    ) -> None:
        super().__init__(schedule=schedule, parameterization=parameterization, spacing=spacing, steps=steps)
        self.eta = eta

    def stepper(self, chain: Chain) -> Step:
        alphas, sigmas = chain.alphas, chain.sigmas
        # eq. 16: fresh noise of each step
        ratios = (sigmas[1:] / sigmas[:-1]) ** 2 * (1 - (alphas[:-1] / alphas[1:]) ** 2)
        fresh = self.eta * ratios.clamp(min=0).sqrt()
        direction = (sigmas[1:] ** 2 - fresh**2).clamp(min=0).sqrt()

        def step(noisy: Tensor, k: int) -> Tensor:
            clean, eps = chain.ask(noisy, k)
            noisy = alphas[k + 1].to(noisy) * clean + direction[k].to(noisy) * eps
            if self.eta > 0:
                noisy = noisy + fresh[k].to(noisy) * chain.noise(k)
            return noisy

        return step
