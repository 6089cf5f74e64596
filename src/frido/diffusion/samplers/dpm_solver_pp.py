"""DPM-Solver++."""

import torch
from torch import Tensor

from frido.diffusion.samplers.base import Sampler, Step
from frido.diffusion.samplers.chain import Chain
from frido.diffusion.samplers.extrapolation import extrapolated


class DpmSolverPp(Sampler):
    """DPM-Solver++(2M): second order from one network call a step (Lu et al., 2022b, algorithm 2).

    Deterministic; `noise` is never asked for. The first step is of first order, since nothing precedes it, and so
    is one to the clean latent itself.
    """

    def stepper(self, chain: Chain) -> Step:
        alphas, sigmas = chain.alphas, chain.sigmas
        h = chain.lambdas.diff()
        shrink, grow = sigmas[1:] / sigmas[:-1], -alphas[1:] * torch.expm1(-h)
        mean_clean = extrapolated(chain)

        def step(noisy: Tensor, k: int) -> Tensor:
            return shrink[k].to(noisy) * noisy + grow[k].to(noisy) * mean_clean(noisy, k)

        return step
