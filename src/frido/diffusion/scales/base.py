"""Which scales a sample trains."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from jaxtyping import Int
from torch import Tensor

Rows = Int[Tensor, "rows"] | slice
"""Index of some samples of a batch."""


class Scales(ABC):
    """Shares the samples of a batch out to the scales. Built by a partial with run-time `num_scales`.

    Promises: a function of the samples' positions alone; in a micro-batch that `frido.cli.pairs` lets pass every
    scale has a sample, since ranks would wait for each other's gradients of a part that one of them leaves out.
    """

    @abstractmethod
    def rows(self, positions: Int[Tensor, "batch"]) -> Sequence[Rows]:
        """Return the samples that train each scale, coarsest first; `positions` are consecutive."""
