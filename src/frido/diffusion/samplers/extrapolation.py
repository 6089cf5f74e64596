"""Second order from one network call a step."""

from torch import Tensor

from frido.diffusion.samplers.base import Step
from frido.diffusion.samplers.chain import Chain


def extrapolated(chain: Chain) -> Step:
    """Return what calls the network at step `k`, and gives the mean clean latent over that step.

    On the line through the last two calls in `lambda = log(alpha / sigma)`, at the middle of the step
    (Lu et al., 2022b, algorithm 2). The first call of a chain stands alone, and so does one to the clean latent itself.
    """
    h = chain.lambdas.diff()
    seen: list[Tensor] = []

    def mean(noisy: Tensor, k: int) -> Tensor:
        clean, _ = chain.ask(noisy, k)
        ahead = clean
        if seen and h[k].isfinite():
            ahead = clean + (h[k] / h[k - 1] / 2).to(noisy) * (clean - seen[-1])
        seen.append(clean)
        return ahead

    return mean
