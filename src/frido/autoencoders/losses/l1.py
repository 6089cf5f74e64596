"""Mean absolute error."""

from jaxtyping import Float
from torch import Tensor

from frido.autoencoders.losses.base import PixelTerm


class L1(PixelTerm):
    """Mean absolute difference; the choice of VQGAN, LDM and Frido."""

    name = "l1"

    def __call__(
        self, made: Float[Tensor, "batch 3 height width"], images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, ""]:
        return (images - made).abs().mean()
