"""Image in, one feature map per scale out."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


class Encoder(nn.Module, ABC):
    """Feature maps for the codebooks, coarsest first, on grids `factors[s]` times smaller than the image.

    Built by partial: the autoencoder adds `channels` (of every map) and `factors`.
    """

    @abstractmethod
    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[Float[Tensor, "batch channels _ _"], ...]:
        """Return a map per factor; sides of `images` are multiples of `factors[0]`."""
