"""Prediction of the noise."""

from jaxtyping import Float
from torch import Tensor

from frido.diffusion.parameterizations.base import Parameterization


class Eps(Parameterization):
    """The network predicts the noise (Ho et al., 2020, eq. 14); Frido and LDM do."""

    needs_signal = True

    def target(self, clean: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        return noise

    def to_clean(self, prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        return (noisy - sigma * prediction) / alpha

    def to_noise(self, prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        return prediction

    def error_ratio(self, log_snr: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return log_snr.exp()
