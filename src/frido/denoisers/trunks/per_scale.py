"""A U-Net for each scale."""

from frido.denoisers.trunks.base import Trunk


class PerScaleTrunk(Trunk):
    """An expert per scale (Frido's `use_stage_expert`); time and stage embeddings stay common."""

    def groups(self, *, level: int, num_scales: int) -> list[list[int]]:
        return [[scale] for scale in range(num_scales)]
