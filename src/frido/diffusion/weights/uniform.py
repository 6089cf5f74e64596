"""Every time counts the same."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.diffusion.parameterizations.base import Parameterization
from frido.diffusion.weights.base import Weighting


class Uniform(Weighting):
    """Weight 1 of the prediction's error, whatever is predicted (Ho et al., 2020, eq. 14); Frido and LDM train so."""

    def __call__(
        self, log_snr: Float[Tensor, "batch"], *, parameterization: Parameterization
    ) -> Float[Tensor, "batch"]:
        return torch.ones_like(log_snr)
