"""How much memory a training takes on one process's device, and how many images at a time fit."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from frido.contracts.phase import Phase
from frido.engine.counting.cost import PhaseCost


class Standing(NamedTuple):
    """What is there all the time, in bytes.

    `weights` are parameters and buffers; `exchange` is the memory in which processes exchange gradients.
    """

    weights: int
    averages: int
    optimizer: int
    exchange: int


class Line(NamedTuple):
    """Bytes as a function of the images of a micro-batch."""

    fixed: float
    per_image: float

    def at(self, images: int) -> int:
        return round(self.fixed + self.per_image * images)


def standing(
    model: nn.Module,
    phases: Sequence[Phase],
    *,
    averages: int,
    optimizer: Callable[..., torch.optim.Optimizer],
    world_size: int,
) -> Standing:
    """Return what stands while `model` trains.

    Args:
        model: All that is kept in a checkpoint; with or without values.
        phases: Of it.
        averages: How many of the weights there are.
        optimizer: Of each phase.
        world_size: Processes.
    """
    state = size_of(model.state_dict().values())
    trained = [parameter for phase in phases for parameter in phase.trained() if parameter.requires_grad]
    return Standing(
        weights=state,
        averages=averages * state,
        optimizer=optimizer_size(optimizer, trained),
        exchange=size_of(trained) if world_size > 1 else 0,
    )


def size_of(tensors: Iterable[Tensor]) -> int:
    """Return the bytes of some tensors; those that share memory count once."""
    storages = {(tensor.untyped_storage()._cdata): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def optimizer_size(make: Callable[..., torch.optim.Optimizer], parameters: Iterable[nn.Parameter]) -> int:
    """Return the bytes that an optimizer remembers about parameters: found by a step of a small one."""
    probe = nn.Parameter(torch.zeros(8, 8))
    optimizer = make([probe])
    probe.grad = torch.zeros_like(probe)
    optimizer.step()
    found = [value for value in optimizer.state[probe].values() if isinstance(value, Tensor)]
    alike = sum(value.element_size() for value in found if value.shape == probe.shape)
    other = sum(value.nbytes for value in found if value.shape != probe.shape)
    return sum(alike * parameter.numel() + other for parameter in parameters)


def lines(few: Sequence[PhaseCost], many: Sequence[PhaseCost], *, images: tuple[int, int]) -> dict[str, Line]:
    """Return, by phase, the memory of micro-batches beside what stands, from the costs of two sizes of them."""
    found = {}
    for small, large in zip(few, many, strict=True):
        slope = (large.peak - small.peak) / (images[1] - images[0])
        found[large.phase] = Line(large.peak - slope * images[1], slope)
    return found


def most(lines: Mapping[str, Line], *, room: int | float, among: Iterable[int]) -> int | None:
    """Return the largest of some sizes of micro-batches that every phase has `room` for, bytes; `None` if none fits."""
    fitting = [size for size in among if max(line.at(size) for line in lines.values()) <= room]
    return max(fitting, default=None)


def divisors(number: int) -> list[int]:
    return [size for size in range(1, number + 1) if number % size == 0]
