"""The ancestral sampler."""

from torch import Tensor

from frido.diffusion.samplers.base import Sampler, Step
from frido.diffusion.samplers.chain import Chain
from frido.diffusion.samplers.posterior import posterior


class Ddpm(Sampler):
    """Draws from the posterior of the clean latent that the network sees (Ho et al., 2020, algorithm 2).

    The variance is the posterior's own, `beta` with a tilde, between whichever times the spacing takes
    (Nichol and Dhariwal, 2021, section 4). Every step adds noise, but the one to the clean latent.
    """

    def stepper(self, chain: Chain) -> Step:
        alphas, sigmas = chain.alphas, chain.sigmas
        back = posterior(alphas[:-1], sigmas[:-1], to_alpha=alphas[1:], to_sigma=sigmas[1:])
        spread = back.variance.sqrt()

        def step(noisy: Tensor, k: int) -> Tensor:
            clean, _ = chain.ask(noisy, k)
            mean = back.of_clean[k].to(noisy) * clean + back.of_noisy[k].to(noisy) * noisy
            return mean + spread[k].to(noisy) * chain.noise(k) if spread[k] > 0 else mean

        return step
