"""What a training step costs, counted on copies without values: it takes a few seconds, and no memory and no device.

The training does not feel it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn

from frido.contracts.batch import Batch
from frido.contracts.phase import Phase
from frido.engine.counting.ledger import Ledger
from frido.engine.counting.without_values import WithoutValues, batch_without_values, place_of, without_values


class PhaseCost(NamedTuple):
    """Of one phase, in a training step of one process.

    Operations are floating-point operations for one image, 2 for a multiply-add. `held` is what the forward pass of a
    micro-batch keeps for its backward pass; `peak` is all that is alive at the worst moment beside what stands all the
    time (`frido.engine.counting.memory`): inputs, activations, gradients, intermediate results. Both in bytes.
    """

    phase: str
    forward: float
    backward: float
    held: int
    peak: int


class CallCost(NamedTuple):
    """Of a computation without gradients: its floating-point operations, and the bytes alive at the worst moment."""

    operations: int
    peak: int


def of_step(
    phases: Sequence[Phase], batch: Batch, *, precision: str, device: torch.device, passes: int = 1
) -> list[PhaseCost]:
    """Return what a training step of each phase costs one process.

    Args:
        phases: Of a task, in order; they are copied, not changed.
        batch: What the process sees in the step, or the beginning of it; positions decide whether a discriminator
            plays already.
        precision: Of the forward pass, as in `Training`.
        device: Where it is computed; any GPU stands for all, and need not be there.
        passes: Micro-batches that the batch is taken in.
    """
    phases, standing = without_values(list(phases))
    trained = {phase.name: [p for p in phase.trained() if p.requires_grad] for phase in phases}
    size, costs = batch.size // passes, []
    with WithoutValues(place_of(device)) as world, Ledger(standing=standing, device="meta") as ledger:
        batch = batch_without_values(batch)
        for phase in phases:
            phase.train()
            ledger.forward = ledger.backward = held = 0
            with _alone(phase.name, trained):
                ledger.peak = ledger.live
                for start in range(0, size * passes, size):
                    before = ledger.live
                    with world.autocast(precision):
                        losses = phase(batch.rows(start, start + size))
                    held = max(held, ledger.live - before)
                    losses.pop("loss").backward()
                    del losses
            images = size * passes
            costs.append(PhaseCost(phase.name, ledger.forward / images, ledger.backward / images, held, ledger.peak))
    return costs


def of_call(
    modules: Sequence[nn.Module], call: Callable[..., Any], *, precision: str, device: torch.device
) -> CallCost:
    """Return what `call(copies of the modules, ledger)` costs without gradients; for the arguments see `of_step`."""
    copies, standing = without_values(list(modules))
    with WithoutValues(place_of(device)) as world, Ledger(standing=standing, device="meta") as ledger, torch.no_grad():
        with world.autocast(precision):
            call(copies, ledger)
        return CallCost(ledger.forward, ledger.peak)


def flops_per_image(phases: Sequence[Phase], batch: Batch, *, precision: str, device: torch.device) -> float:
    """Return the floating-point operations of a training step, all phases together, for one image; see `of_step`."""
    return sum(cost.forward + cost.backward for cost in of_step(phases, batch, precision=precision, device=device))


@contextmanager
def _alone(name: str, trained: Mapping[str, Sequence[nn.Parameter]]) -> Iterator[None]:
    """Let only one phase's parameters ask for a gradient; those of the others have theirs of the step before."""
    own = {id(parameter) for parameter in trained[name]}
    others = [p for parameters in trained.values() for p in parameters if id(p) not in own]
    for parameter in trained[name]:
        parameter.grad = None
    for parameter in others:
        parameter.grad = torch.empty_like(parameter)
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)
