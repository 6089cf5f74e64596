"""Several processes that train one model. With one process every function here is a plain answer."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from frido.contracts.errors import FridoError

T = TypeVar("T")

PATIENCE = timedelta(hours=12)
"""How long ranks wait for each other: the first one alone packs, encodes and writes for all."""


@contextmanager
def process_group(device: str) -> Iterator[torch.device]:
    """Join the group that torchrun's or Slurm's environment describes, if there is one; yield this rank's device.

    Args:
        device: "cpu" (gloo) or "cuda" (nccl; each local rank takes its own GPU).
    """
    local = int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", 0)))
    place = torch.device("cpu") if device == "cpu" else _gpu(local)
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield place
        return
    dist.init_process_group(
        "gloo" if device == "cpu" else "nccl", device_id=None if device == "cpu" else place, timeout=PATIENCE
    )
    try:
        yield place
    finally:
        dist.destroy_process_group()


def _gpu(local: int) -> torch.device:
    if local >= torch.cuda.device_count():
        raise FridoError(
            "hardware.device=cuda",
            got=f"{torch.cuda.device_count()} GPUs visible, process {local} of this machine needs one of its own",
            wanted="one GPU per process",
            do="Lower hardware.devices, or use hardware=cpu.",
        )
    torch.cuda.set_device(local)
    return torch.device("cuda", local)


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Return whether this process writes the files."""
    return rank() == 0


def barrier() -> None:
    if world_size() > 1:
        dist.barrier()


def mean(values: Tensor) -> Tensor:
    """Return the mean of `values` over ranks; NaN on one is NaN on all."""
    if world_size() == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / world_size()


def from_main(value: T) -> T:
    """Return the first rank's `value` (anything picklable) on every rank."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]


def from_all(value: T) -> list[T]:
    """Return every rank's `value` (anything picklable), by rank, on every rank."""
    box = [value] * world_size()
    if world_size() > 1:
        dist.all_gather_object(box, value)
    return box


def largest(*numbers: int, device: torch.device) -> list[int]:
    """Return the largest of all ranks, of each of some numbers."""
    if world_size() == 1:
        return list(numbers)
    box = torch.tensor(numbers, device=device)
    dist.all_reduce(box, op=dist.ReduceOp.MAX)
    return box.tolist()


@torch.no_grad()
def copy_from_main(tensors: Iterable[Tensor]) -> None:
    """Overwrite `tensors` on every rank by the first rank's."""
    if world_size() > 1:
        for tensor in tensors:
            dist.broadcast(tensor.detach(), src=0)


@torch.no_grad()
def check_replicas(tensors: Iterable[Tensor], device: torch.device) -> None:
    """Raise if ranks hold different weights: a loss was then differentiated outside DDP, and the run is worthless."""
    if world_size() == 1:
        return
    own = torch.stack([tensor.detach().double().sum().to(device) for tensor in tensors])
    first = own.clone()
    dist.broadcast(first, src=0)
    if any(largest(int(not torch.equal(own, first)), device=device)):
        raise RuntimeError(
            "the replicas of the model differ between ranks: a gradient was computed outside DDP's forward"
        )
