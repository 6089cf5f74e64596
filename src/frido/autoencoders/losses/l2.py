"""Mean squared error."""

from jaxtyping import Float
from torch import Tensor

from frido.autoencoders.losses.base import PixelTerm


class L2(PixelTerm):
    """Mean squared difference; the choice of the VQ-VAE."""

    name = "l2"

    def __call__(
        self, made: Float[Tensor, "batch 3 height width"], images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, ""]:
        return (images - made).square().mean()
