"""One U-Net for all scales."""

from collections.abc import Callable, Sequence

from torch import nn

from frido.denoisers.trunks.base import Trunk
from frido.denoisers.unet_trunk import UNetTrunk


class SharedTrunk(Trunk):
    """One U-Net, which tells scales apart by the stage embedding (Frido's default)."""

    def __init__(self, *, build: Callable[[Sequence[int]], UNetTrunk], num_scales: int) -> None:
        super().__init__()
        self.unets = nn.ModuleList([build(range(num_scales))])

    def at(self, scale: int) -> UNetTrunk:
        return self.unets[0]  # type: ignore[return-value]
