"""What the engine trains."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from torch import Tensor, nn

from frido.contracts.batch import Batch


class Phase(nn.Module, ABC):
    """One optimisation step's worth of a task: `forward(batch)` returns losses, among them `"loss"`.

    The engine calls it through DDP, differentiates `"loss"` and logs every entry as a mean over ranks and
    micro-batches, so entries are scalars and only `"loss"` needs a graph. A task with several optimisers
    (a GAN) has several phases that share modules; a phase registers as submodules only what it trains or
    what must move with it, and keeps others' modules in a tuple, out of DDP's sight.
    """

    name: str
    """Prefix of its logged losses; unique among a task's phases."""

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]: ...

    @abstractmethod
    def trained(self) -> Iterable[nn.Parameter]:
        """Return the parameters that this phase's optimizer changes."""

    def check(self, images_seen: int) -> None:
        """Raise `FridoError` where what was trained since the last call is not worth keeping.

        Called on every rank before each checkpoint that falls due; what it remembers lies in the model's state, so
        that an interruption changes nothing.
        """
