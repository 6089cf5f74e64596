"""Every sample trains every scale."""

from collections.abc import Sequence

from jaxtyping import Int
from torch import Tensor

from frido.diffusion.scales.base import Rows, Scales


class AllScales(Scales):
    """Every scale in every step, as Frido trains.

    Args:
        num_scales: Of the pyramid (run time).
    """

    def __init__(self, *, num_scales: int) -> None:
        self.num_scales = num_scales

    def rows(self, positions: Int[Tensor, "batch"]) -> Sequence[Rows]:
        return [slice(None)] * self.num_scales
