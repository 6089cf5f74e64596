"""A U-Net for each scale."""

from collections.abc import Callable, Sequence

from torch import nn

from frido.denoisers.trunks.base import Trunk
from frido.denoisers.unet_trunk import UNetTrunk


class PerScaleTrunk(Trunk):
    """An expert per scale (Frido's `use_stage_expert`); time and stage embeddings stay common."""

    def __init__(self, *, build: Callable[[Sequence[int]], UNetTrunk], num_scales: int) -> None:
        super().__init__()
        self.unets = nn.ModuleList(build([scale]) for scale in range(num_scales))

    def at(self, scale: int) -> UNetTrunk:
        return self.unets[scale]  # type: ignore[return-value]
