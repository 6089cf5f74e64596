"""A Gaussian per latent value, the posterior of a KL-regularised autoencoder (Kingma and Welling, 2014)."""

import math

from jaxtyping import Float
from torch import Tensor

LEAST_LOGVAR, LARGEST_LOGVAR = -30.0, 20.0
"""Where log-variances are clamped, as in the released LDM code: exp() stays finite and positive in float32."""


class DiagonalGaussian:
    """Independent normal distributions.

    Args:
        moments: Means, then log-variances, one after the other along the channels.
    """

    def __init__(self, *, moments: Float[Tensor, "batch twice_channels height width"]) -> None:
        self.mean, logvar = moments.chunk(2, dim=1)
        self.logvar = logvar.clamp(LEAST_LOGVAR, LARGEST_LOGVAR)

    @property
    def var(self) -> Float[Tensor, "batch channels height width"]:
        return self.logvar.exp()

    @property
    def std(self) -> Float[Tensor, "batch channels height width"]:
        return (0.5 * self.logvar).exp()

    @property
    def mode(self) -> Float[Tensor, "batch channels height width"]:
        return self.mean

    def sample(
        self, noise: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the sample that standard normal `noise` becomes; differentiable in the moments."""
        return self.mean + self.std * noise

    def kl(self, other: "DiagonalGaussian | None" = None) -> Float[Tensor, "batch"]:
        """Return the divergence of `other` (None: the standard normal distribution) from this one per sample, in nats.

        KL(p || q) = 0.5 sum((mean_p - mean_q)^2 / var_q + var_p / var_q - 1 + log var_q - log var_p).
        """
        if other is None:
            values = self.mean.square() + self.var - 1 - self.logvar
        else:
            gap = (self.mean - other.mean).square() + self.var
            values = gap / other.var - 1 + other.logvar - self.logvar
        return 0.5 * values.sum(dim=(1, 2, 3))

    def nll(self, sample: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch"]:
        """Return the negative log-likelihood of `sample` per sample, in nats."""
        values = math.log(2 * math.pi) + self.logvar + (sample - self.mean).square() / self.var
        return 0.5 * values.sum(dim=(1, 2, 3))
