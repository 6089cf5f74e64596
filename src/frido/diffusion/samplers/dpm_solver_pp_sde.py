"""DPM-Solver++ with fresh noise."""

import torch
from torch import Tensor

from frido.diffusion.samplers.base import Sampler, Step
from frido.diffusion.samplers.chain import Chain
from frido.diffusion.samplers.extrapolation import extrapolated


class DpmSolverPpSde(Sampler):
    """SDE-DPM-Solver++(2M): solves the reverse diffusion instead of its flow (Lu et al., 2022b).

    One network call a step, of second order in what the network believes; every step adds noise, but the one to
    the clean latent. Fresh noise forgets the errors of earlier steps, and wants more steps than the flow does.
    """

    def stepper(self, chain: Chain) -> Step:
        alphas, sigmas = chain.alphas, chain.sigmas
        h = chain.lambdas.diff()
        shrink = sigmas[1:] / sigmas[:-1] * torch.exp(-h)
        grow, fresh = -alphas[1:] * torch.expm1(-2 * h), sigmas[1:] * torch.expm1(-2 * h).neg().sqrt()
        mean_clean = extrapolated(chain)

        def step(noisy: Tensor, k: int) -> Tensor:
            mean = shrink[k].to(noisy) * noisy + grow[k].to(noisy) * mean_clean(noisy, k)
            return mean + fresh[k].to(noisy) * chain.noise(k) if fresh[k] > 0 else mean

        return step
