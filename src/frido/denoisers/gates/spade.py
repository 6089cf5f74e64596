"""Spatially adaptive modulation."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from frido.denoisers.gates.base import Gate, GateSite, ScaleShiftSite, scaled


class SpadeSite(ScaleShiftSite):
    """Scale and shift per cell: `a = ReLU(conv(coarse))`, `scale = conv(a)`, `shift = conv(a)` (Park et al., 2019)."""

    def __init__(self, *, channels: int, coarse_channels: int, hidden: int, init: float) -> None:
        super().__init__()
        self.shared = nn.Conv2d(coarse_channels, hidden, 3, padding=1)
        self.scale = nn.Conv2d(hidden, channels, 3, padding=1)
        self.shift = nn.Conv2d(hidden, channels, 3, padding=1)
        scaled(self.scale, init)
        scaled(self.shift, init)

    def prepare(self, coarse: Float[Tensor, "batch coarse_channels height width"]) -> tuple[Tensor, ...]:
        activated = F.relu(self.shared(coarse))
        return self.scale(activated), self.shift(activated)


class SpadeGate(Gate):
    """Scale and shift of every norm, per cell, from 3x3 convolutions of the coarser scales (Frido).

    Args:
        hidden: Channels between the convolutions; 128 in Frido.
        init: Factor on the initial weights of the last convolutions: 1 the official start, which is not the identity;
            0 starts as the identity.
    """

    enters = "norms"

    def __init__(self, *, hidden: int, init: float) -> None:
        self.hidden, self.init = hidden, init

    def site(self, *, channels: int, coarse_channels: int, embedding_width: int, attends: bool) -> GateSite | None:
        return SpadeSite(channels=channels, coarse_channels=coarse_channels, hidden=self.hidden, init=self.init)
