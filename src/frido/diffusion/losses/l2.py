"""Mean squared error."""

from jaxtyping import Float
from torch import Tensor

from frido.diffusion.losses.base import Loss


class L2(Loss):
    """Mean squared difference; DDPM's choice."""

    def __call__(
        self,
        prediction: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch"]:
        return (prediction.float() - target).square().flatten(1).mean(dim=1)
