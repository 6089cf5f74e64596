"""Every sample trains one scale."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from frido.contracts.errors import FridoError
from frido.diffusion.scales.base import Rows, Scales


class Quotas(Scales):
    """One scale a sample, in a pattern that the stream repeats: `[1, 3]` is one for the coarsest, three for the next.

    A micro-batch of whole cycles, wherever it starts, holds exactly its quotas. Steps cost less than with every
    scale, and how often a scale is trained is free of what its loss weighs: that is a mean over its own samples.

    Args:
        num_scales: Of the pyramid (run time).
        quotas: Samples of each scale in a cycle, coarsest first; each 1 or more.
    """

    def __init__(self, *, num_scales: int, quotas: Sequence[int]) -> None:
        if len(quotas) != num_scales or min(quotas) < 1:
            raise FridoError(
                "task.scales.quotas",
                got=list(quotas),
                wanted=f"{num_scales} whole numbers of 1 or more, one per scale of the autoencoder, coarsest first",
                do=f"task.scales.quotas={[1] * num_scales}",
            )
        self.quotas = tuple(quotas)

    def rows(self, positions: Int[Tensor, "batch"]) -> Sequence[Rows]:
        cycle = sum(self.quotas)
        assert len(positions) % cycle == 0, f"{len(positions)} samples are no whole cycles of {cycle}"
        pattern = torch.arange(len(self.quotas)).repeat_interleave(torch.tensor(self.quotas)).to(positions.device)
        by_scale = pattern[positions % cycle].argsort(stable=True)
        return by_scale.split([len(positions) // cycle * quota for quota in self.quotas])
