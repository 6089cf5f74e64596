"""Squared near zero, absolute far from it."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from frido.contracts.errors import FridoError
from frido.diffusion.losses.base import Loss


class Huber(Loss):
    """`d^2 / 2` where `|d| < delta`, else `delta * (|d| - delta / 2)` (Huber, 1964): outliers pull no harder than
    `delta`.

    Args:
        delta: Difference above 0 at which the square ends.
    """

    def __init__(self, *, delta: float) -> None:
        if delta <= 0:
            raise FridoError("task.loss.delta", got=delta, wanted="more than 0", do="task.loss.delta=1")
        self.delta = delta

    def __call__(
        self,
        prediction: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch"]:
        return F.huber_loss(prediction.float(), target, reduction="none", delta=self.delta).flatten(1).mean(dim=1)
