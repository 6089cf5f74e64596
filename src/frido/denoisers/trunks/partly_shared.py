"""A U-Net whose outer levels belong to each scale."""

from frido.denoisers.trunks.base import Trunk


class PartlySharedTrunk(Trunk):
    """Outer levels of each scale's own around a common core: textures differ between scales, layouts less.

    Args:
        own_levels: Number of outer levels that every scale has for itself; the middle is always common.
    """

    def __init__(self, *, own_levels: int) -> None:
        self.own_levels = own_levels

    def groups(self, *, level: int, num_scales: int) -> list[list[int]]:
        scales = list(range(num_scales))
        return [[scale] for scale in scales] if level < self.own_levels else [scales]
