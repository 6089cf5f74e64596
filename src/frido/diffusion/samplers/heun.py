"""Heun's method."""

from torch import Tensor

from frido.diffusion.samplers.base import Sampler, Step
from frido.diffusion.samplers.chain import Chain


class Heun(Sampler):
    """Second order, each step tried and then repeated with the mean of both ends (Karras et al., 2022, algorithm 1).

    In `y = noisy / sigma` and `u = alpha / sigma` the probability flow is `dy/du = clean`: the paper's flow,
    `noisy / alpha` over `sigma / alpha`, with signal and noise exchanged, so that it can start where there is no
    signal. Deterministic. Two network calls a step and one in the last, `2 * steps - 1` in all, as in the paper.
    """

    def stepper(self, chain: Chain) -> Step:
        alphas, sigmas = chain.alphas, chain.sigmas
        shrink = sigmas[1:] / sigmas[:-1]
        grow = alphas[1:] - shrink * alphas[:-1]
        last = len(chain.times) - 2

        def step(noisy: Tensor, k: int) -> Tensor:
            clean, _ = chain.ask(noisy, k)
            tried = shrink[k].to(noisy) * noisy + grow[k].to(noisy) * clean
            if k == last:
                return tried
            ahead, _ = chain.ask(tried, k + 1)
            return tried + grow[k].to(noisy) * (ahead - clean) / 2

        return step
