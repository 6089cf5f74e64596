"""Signal-to-noise ratio, cut off."""

from jaxtyping import Float
from torch import Tensor

from frido.contracts.errors import FridoError
from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.weights.base import LEAST_LOG_SNR, Weighting


class MinSnr(Weighting):
    """`min(snr, gamma)` of the clean latent's error (Hang et al., 2023, section 3.4): nearly clean latents, whose noise
    is easy to tell, do not rule the others.

    Args:
        gamma: Largest weight, above 0.
    """

    def __init__(self, *, gamma: float) -> None:
        if gamma <= 0:
            raise FridoError("task.weighting.gamma", got=gamma, wanted="more than 0", do="task.weighting.gamma=5")
        self.gamma = gamma

    def __call__(
        self, log_snr: Float[Tensor, "batch"], *, parameterization: Parameterization
    ) -> Float[Tensor, "batch"]:
        log_snr = log_snr.clamp(min=LEAST_LOG_SNR)
        return log_snr.exp().clamp(max=self.gamma) / parameterization.error_ratio(log_snr)
