"""Addition per cell."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from frido.denoisers.gates.base import Gate, GateSite, scaled


class AddSite(GateSite):
    """A shift per cell: `conv(ReLU(conv(coarse)))`."""

    def __init__(self, *, channels: int, coarse_channels: int, hidden: int, init: float) -> None:
        super().__init__()
        self.shared = nn.Conv2d(coarse_channels, hidden, 3, padding=1)
        self.shift = nn.Conv2d(hidden, channels, 3, padding=1)
        scaled(self.shift, init)

    def prepare(self, coarse: Float[Tensor, "batch coarse_channels height width"]) -> tuple[Tensor, ...]:
        return (self.shift(F.relu(self.shared(coarse))),)

    def forward(
        self,
        normed: Float[Tensor, "batch channels height width"],
        prepared: tuple[Tensor, ...],
        embedding: Float[Tensor, "batch embedding_width"],
    ) -> Float[Tensor, "batch channels height width"]:
        return normed + prepared[0].to(normed.dtype)


class AddGate(Gate):
    """Features of the coarser scales added behind every norm: `spade` without its scale.

    Args:
        hidden: Channels between the convolutions.
        init: Factor on the initial weights of the last convolution; 0 starts as the identity.
    """

    enters = "norms"

    def __init__(self, *, hidden: int, init: float) -> None:
        self.hidden, self.init = hidden, init

    def site(self, *, channels: int, coarse_channels: int, embedding_width: int, attends: bool) -> GateSite | None:
        return AddSite(channels=channels, coarse_channels=coarse_channels, hidden=self.hidden, init=self.init)
