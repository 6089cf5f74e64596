"""One U-Net for all scales."""

from frido.denoisers.trunks.base import Trunk


class SharedTrunk(Trunk):
    """One U-Net, which tells scales apart by the stage embedding (Frido's default)."""

    def groups(self, *, level: int, num_scales: int) -> list[list[int]]:
        return [list(range(num_scales))]
