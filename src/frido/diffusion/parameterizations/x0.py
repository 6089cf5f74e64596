"""Prediction of the clean latent."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.parameterizations.base import Parameterization


class X0(Parameterization):
    """The network predicts the clean latent (Ho et al., 2020, section 3.2).

    The noise it means is divided by `sigma`: near the clean end small errors become large there.
    """

    needs_signal = False

    def target(self, clean: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        return clean

    def to_clean(self, prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        return prediction

    def to_noise(self, prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "..."]:
        return (noisy - alpha * prediction) / sigma

    def error_ratio(self, log_snr: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return torch.ones_like(log_snr)
