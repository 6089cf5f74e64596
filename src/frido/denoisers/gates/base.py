"""How coarser scales reach a norm."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


class Gate(nn.Module, ABC):
    """Makes the modulation of one norm from features of the coarser scales.

    A gated norm computes `norm(x) * (1 + scale) + shift`. Promises: without coarser scales a gated norm is only its
    norm, and a modulation is a function of the coarse features alone, so one is enough for a whole chain.

    Built by a partial with run-time arguments `channels` (of the norm) and `coarse_channels` (of the features).
    """

    concatenates: bool
    """True: the coarse latents are concatenated to the noisy ones at the input, and `forward` is never called."""

    @abstractmethod
    def forward(
        self, coarse: Float[Tensor, "batch coarse_channels height width"]
    ) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch channels height width"]]:
        """Return `(scale, shift)` on the grid of the features, which is that of the norm's input."""
