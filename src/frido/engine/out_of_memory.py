"""Memory that ran out, explained: which settings would take less of it, and how much less."""

import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import torch

from frido.contracts.batch import Batch
from frido.contracts.errors import FridoError
from frido.contracts.phase import Phase
from frido.engine.counting import memory
from frido.engine.counting.cost import PhaseCost, of_step
from frido.engine.counting.room import room
from frido.engine.training import Training

WORDS = ("can't allocate memory", "not enough memory", "cannot allocate memory", "out of memory", "bad_alloc")
"""In what is raised where memory runs out: on CPUs torch and its libraries have no one error for that."""
SPARE = 0.15
"""Share of what is free that is left so: allocators leave holes."""
LIBRARIES = 2**27
"""Bytes left for what libraries and threads take for themselves."""


@contextmanager
def explained(
    phases: Sequence[Phase],
    *,
    optimizers: Iterable[torch.optim.Optimizer],
    training: Training,
    batch: Batch,
    device: torch.device,
) -> Iterator[None]:
    """Say, where the steps inside run out of memory, which settings would fit.

    Args:
        phases: That take a step each, in order.
        optimizers: Of them.
        training: Settings.
        batch: This process's part of the batch.
        device: Where it computes.

    Raises:
        FridoError: Memory ran out.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        traceback.clear_frames(error.__traceback__)  # what these hold is what takes the memory
    else:
        return
    for phase in phases:
        for parameter in phase.trained():
            parameter.grad = None
    raise _Advice(phases, optimizers=optimizers, training=training, batch=batch, device=device).refusal(told)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on whatever device."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in text for word in WORDS)


class _Advice:
    """What would take less memory."""

    def __init__(
        self,
        phases: Sequence[Phase],
        *,
        optimizers: Iterable[torch.optim.Optimizer],
        training: Training,
        batch: Batch,
        device: torch.device,
    ) -> None:
        self.phases, self.training, self.batch, self.device = phases, training, batch, device
        self.place = f"training.{phases[0].name}"
        self.micro = min(training.micro_batch or batch.size, batch.size)
        to_come = sum(
            memory.optimizer_size(training.optimizer, group["params"])
            for optimizer in optimizers
            if not optimizer.state  # of the first step
            for group in optimizer.param_groups
        )
        self.room = max(0.0, (room(device) - to_come - LIBRARIES) * (1 - SPARE))
        self.now = self._costs(self.micro)

    def refusal(self, told: str) -> FridoError:
        """Return the error; `told` is what was raised where memory ran out."""
        ways = [*self._smaller(), *self._checkpointing(), *self._low_precision(), *self._averages()]
        return FridoError(
            f"memory of {self.device} in the training of {self.phases[0].name}",
            got=f"{told}\n          with micro_batch={self.micro} a step takes {size(_need(self.now))} beside weights "
            f"and optimizer, and about {size(self.room)} can be taken",
            wanted="a step that fits",
            do="\n          or ".join(ways) or "take a smaller model, or a device with more memory",
        )

    def _costs(self, micro: int) -> list[PhaseCost]:
        passes = min(2, self.batch.size // micro)  # the second one finds gradients already there
        some = self.batch.rows(0, passes * micro)
        return of_step(self.phases, some, precision=self.training.precision, device=self.device, passes=passes)

    def _smaller(self) -> Iterator[str]:
        sizes = [size for size in memory.divisors(self.batch.size) if size < self.micro]
        for least in sizes:
            with suppress(AssertionError):  # of tasks that take whole cycles of images
                lines = memory.lines(self._costs(least), self.now, images=(least, self.micro))
                fitting = memory.most(lines, room=self.room, among=[one for one in sizes if one % least == 0])
                if fitting is not None:
                    takes = max(line.at(fitting) for line in lines.values())
                    yield f"{self.place}.micro_batch={fitting} takes {size(takes)}: the same training, up to rounding"
                return

    def _checkpointing(self) -> Iterator[str]:
        modules = [
            module
            for phase in self.phases
            for module in phase.modules()
            if getattr(module, "checkpointing", None) is False
        ]
        if not modules:
            return
        for module in modules:
            module.checkpointing = True  # type: ignore[assignment]
        try:
            after = self._costs(self.micro)
        finally:
            for module in modules:
                module.checkpointing = False  # type: ignore[assignment]
        yield self._saves("denoiser.checkpointing=true", after)

    def _low_precision(self) -> Iterator[str]:
        if self.training.precision == "fp32":
            after = of_step(self.phases, self.batch.rows(0, self.micro), precision="bf16", device=self.device)
            yield self._saves("hardware.precision=bf16", after)

    def _averages(self) -> Iterator[str]:
        if self.training.averages:
            parameters = {id(p): p for phase in self.phases for p in phase.parameters()}
            each = memory.size_of(parameters.values())
            yield f"fewer of {self.place}.averages, each of which takes {size(each)}"

    def _saves(self, setting: str, after: Sequence[PhaseCost]) -> str:
        return f"{setting} takes {size(_need(after))} instead of {size(_need(self.now))}"


def _need(costs: Sequence[PhaseCost]) -> int:
    return max(cost.peak for cost in costs)


def size(count: int | float) -> str:
    """Return a number of bytes for people: `1.5 GB`, `12 MB`; 1 GB is 2^30 bytes."""
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**20:.3g} MB"
