"""Spatially adaptive modulation."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from frido.denoisers.gates.base import Gate


class SpadeGate(Gate):
    """Scale and shift per cell: `a = ReLU(conv(coarse))`, `scale = conv(a)`, `shift = conv(a)` (Park et al., 2019).

    Convolutions are 3x3 and start as PyTorch starts them, as in Frido: a fresh gate is not the identity.

    Args:
        channels: Of the norm (run time).
        coarse_channels: Of the coarse features (run time).
        hidden: Channels of `a`; 128 in Frido.
    """

    concatenates = False

    def __init__(self, *, channels: int, coarse_channels: int, hidden: int) -> None:
        super().__init__()
        self.shared = nn.Conv2d(coarse_channels, hidden, 3, padding=1)
        self.scale = nn.Conv2d(hidden, channels, 3, padding=1)
        self.shift = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(
        self, coarse: Float[Tensor, "batch coarse_channels height width"]
    ) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch channels height width"]]:
        activated = F.relu(self.shared(coarse))
        return self.scale(activated), self.shift(activated)
