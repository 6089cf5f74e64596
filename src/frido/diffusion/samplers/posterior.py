"""The posterior of diffusion: where a latent came from, if its clean one is known."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Posterior(NamedTuple):
    """`q(x_s | x_t, x_0)`, a normal distribution of mean `of_clean * x_0 + of_noisy * x_t`."""

    of_clean: Float[Tensor, "*times"]
    of_noisy: Float[Tensor, "*times"]
    variance: Float[Tensor, "*times"]


def posterior(
    alpha: Float[Tensor, "*times"],
    sigma: Float[Tensor, "*times"],
    *,
    to_alpha: Float[Tensor, "*times"],
    to_sigma: Float[Tensor, "*times"],
) -> Posterior:
    """Return the posterior of the latent at `(to_alpha, to_sigma)` given a noisier one at `(alpha, sigma)`.

    Ho et al., 2020, eq. 6 and 7, between any two times; at the clean end, `(1, 0)`, it is the clean latent.
    """
    ratio = alpha / to_alpha
    added = sigma**2 - (ratio * to_sigma) ** 2  # the variance that the forward process adds on the way
    return Posterior(
        of_clean=to_alpha * added / sigma**2,
        of_noisy=ratio * to_sigma**2 / sigma**2,
        variance=(added * to_sigma**2 / sigma**2).clamp(min=0),
    )
