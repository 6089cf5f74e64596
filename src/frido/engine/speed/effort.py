"""What a training asks of its machine: operations a second, of the most that it can do, and memory."""

import logging
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist

from frido.contracts.batch import Batch
from frido.contracts.phase import Phase
from frido.engine import distributed
from frido.engine.counting import cost
from frido.engine.speed import peak

log = logging.getLogger(__name__)


class Effort:
    """Tells for a speed what it means for the machine, as seen from the first rank: others are taken to do the same.

    Args:
        phases: Of a step.
        precision: Of their forward passes.
        device: Where they are.
    """

    def __init__(self, phases: Sequence[Phase], *, precision: str, device: torch.device) -> None:
        self.phases, self.precision, self.device = phases, precision, device
        self._flops_per_image: float | None = None
        self._idle: set[str] | None = None  # None: never counted
        self._refused = False
        self._memory = 0

    def look(self, batch: Batch, losses: Mapping[str, float]) -> None:
        """Count the operations of a step, unless the last count still holds: a discriminator may join late.

        Args:
            batch: This rank's part of the step.
            losses: As logged; a phase whose `<phase>/loss` is exactly 0 was idle.
        """
        idle = {phase.name for phase in self.phases if losses.get(f"{phase.name}/loss") == 0}
        if self._refused or idle == self._idle:
            return
        self._idle = self._flops_per_image = None
        if torch.autograd._profiler_enabled():  # a trace would show it: at the next look
            return
        self._idle = idle
        try:
            with _alone(), torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
                self._flops_per_image = cost.flops_per_image(
                    self.phases, batch, precision=self.precision, device=self.device
                )
        except Exception as error:  # whatever a phase does that cannot be done without values: training goes on
            log.warning(
                "operations cannot be counted, so no flops_per_second is logged: %s: %s", type(error).__name__, error
            )
            self._flops_per_image, self._refused = None, True

    def rates(self, *, images_per_second: float) -> dict[str, float]:
        """Return what to log beside a speed over all ranks.

        `peak_memory_bytes` is the most that this process held so far: of the GPU as torch allocated it, else of the
        machine's memory. `flops_per_second` is over all ranks, 2 for a multiply-add, of forward and backward passes as
        written: what is computed again to save memory counts once. `peak_share` is its share of what the ranks reach
        in products of matrices (`frido.engine.speed.peak`). The last two are absent where nobody could count.
        """
        self._memory = max(self._memory, _most_memory(self.device))  # before the peak is measured, which takes some
        found = {"peak_memory_bytes": float(self._memory)}
        if self._flops_per_image is None:
            return found
        rate = self._flops_per_image * images_per_second
        most = peak.flops_per_second(self.device, precision=self.precision) * distributed.world_size()
        return {"flops_per_second": rate, "peak_share": rate / most} | found


@contextmanager
def _alone() -> Iterator[None]:
    """Let phases find no process group: who counts must not wait for ranks that do not."""
    known = dist.is_initialized
    dist.is_initialized = lambda: False  # type: ignore[assignment]
    try:
        yield
    finally:
        dist.is_initialized = known


def _most_memory(device: torch.device) -> int:
    """Return the most bytes that this process held at once."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
