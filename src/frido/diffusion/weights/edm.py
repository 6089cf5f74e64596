"""The weights of EDM."""

from jaxtyping import Float
from torch import Tensor

from frido.contracts.errors import FridoError
from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.weights.base import LEAST_LOG_SNR, Weighting


class Edm(Weighting):
    """The clean latent's squared error over its variance given the noisy one (Karras et al., 2022, table 1).

    `(sigma^2 + sigma_data^2) / (sigma * sigma_data)^2` with `sigma^2 = 1 / snr`, that is `snr + 1 / sigma_data^2`.
    With data of unit variance it is weight 1 of the velocity's error.

    Args:
        sigma_data: Standard deviation of the data, above 0; latents have 1.
    """

    def __init__(self, *, sigma_data: float) -> None:
        if sigma_data <= 0:
            raise FridoError(
                "task.weighting.sigma_data", got=sigma_data, wanted="more than 0", do="task.weighting.sigma_data=1"
            )
        self.sigma_data = sigma_data

    def __call__(
        self, log_snr: Float[Tensor, "batch"], *, parameterization: Parameterization
    ) -> Float[Tensor, "batch"]:
        log_snr = log_snr.clamp(min=LEAST_LOG_SNR)
        return (log_snr.exp() + self.sigma_data**-2) / parameterization.error_ratio(log_snr)
