"""The features of one side of a comparison, of all processes."""

import torch
import torch.distributed as dist
import torchmetrics
from torchmetrics.utilities import dim_zero_cat

from frido.metrics.features.base import Features


class Rows(torchmetrics.Metric):
    """Keeps rows, and gives all of them in the order of their positions: the same in any order, batch or process.

    torchmetrics carries the states between processes.

    Args:
        dimension: Of the features.
        classes: Of the logits.
    """

    full_state_update = False

    def __init__(self, *, dimension: int, classes: int) -> None:
        super().__init__()
        self.dimension, self.classes = dimension, classes
        for name in Features._fields:
            self.add_state(name, [], dist_reduce_fx="cat")
        # Every process takes part in the exchange, one without rows too: none may be left waiting.
        nothing = torch.zeros(0, dtype=torch.int64)
        self.update(Features(nothing, nothing, torch.zeros(0, dimension), torch.zeros(0, classes)))

    def update(self, rows: Features) -> None:
        for name, part in zip(Features._fields, rows, strict=True):
            getattr(self, name).append(part)

    def compute(self) -> Features:
        return Features(*(dim_zero_cat(getattr(self, name)).cpu() for name in Features._fields))

    def everywhere(self) -> Features:
        """Return the rows of all processes, on every process, by position."""
        if dist.is_available() and dist.is_initialized() and dist.get_backend() == "nccl":
            self.to(torch.device("cuda", torch.cuda.current_device()))  # all that this backend can exchange
        positions, digests, features, logits = self.compute()
        # torchmetrics takes the axes of tensors with one element away.
        positions, order = positions.reshape(-1).sort()
        assert (positions.diff() > 0).all(), "two rows of one side have one position"
        count = len(positions)
        shapes = [(count,), (count, self.dimension), (count, self.classes)]
        parts = [part.reshape(shape)[order] for part, shape in zip((digests, features, logits), shapes, strict=True)]
        return Features(positions, *parts)
