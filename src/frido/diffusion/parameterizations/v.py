"""Prediction of the velocity."""

from jaxtyping import Float
from torch import Tensor

from frido.diffusion.parameterizations.base import Parameterization


class V(Parameterization):
    """The network predicts `v = alpha * noise - sigma * clean` (Salimans and Ho, 2022, section 4)."""

    needs_signal = False

    def target(self, clean: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        return alpha * noise - sigma * clean

    def to_clean(self, prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        return alpha * noisy - sigma * prediction

    def to_noise(self, prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        return sigma * noisy + alpha * prediction

    def error_ratio(self, log_snr: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return log_snr.exp() + 1
