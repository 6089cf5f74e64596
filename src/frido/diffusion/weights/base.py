"""How much the error at each time counts."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

from frido.diffusion.parameterizations.base import Parameterization

LEAST_LOG_SNR = -60.0
"""Taken for less, also for none at all: there 0 / 0 has its limit, to the last digit of float64."""


class Weighting(ABC):
    """A weight for the loss of a sample. Those made for squared errors of the clean latent are brought to what the
    network predicts by `Parameterization.error_ratio`; with another loss than l2 they are applied as they are.
    """

    @abstractmethod
    def __call__(
        self, log_snr: Float[Tensor, "batch"], *, parameterization: Parameterization
    ) -> Float[Tensor, "batch"]:
        """Return the weight at `log(alpha^2 / sigma^2)`, which may be minus infinity; float64."""
