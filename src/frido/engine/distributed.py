"""Several processes that train one model. With one process every function here is a plain answer."""

import os
from collections.abc import Iterable, Iterator, Mapping
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

NOT_SHARED = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"
"""Lets torchrun make a new store for every start of the processes of several machines, if it is 1."""

_of_steps: dist.ProcessGroup | None = None  # the same ranks, with less patience
_within: dist.ProcessGroup | None = None  # what the functions below use; None: everybody, with all patience


class RankLostError(RuntimeError):
    """Another rank died or stood still: nothing can be done here but to start all of them again."""


@contextmanager
def process_group(device: str, *, stalled_after_minutes: float) -> Iterator[torch.device]:
    """Join the group that torchrun's or Slurm's environment describes, if there is one; yield this rank's device.

    Args:
        device: "cpu" (gloo) or "cuda" (nccl; each local rank takes its own GPU).
        stalled_after_minutes: A rank that the others wait for so long within `in_step` is taken for dead.

    Raises:
        FridoError: There is no GPU for this rank, or the port of the group is taken.
        RankLostError: Within the block another rank died or stalled. (With nccl torch's watchdog ends this process in
            place of that.)
    """
    global _of_steps
    local = int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", 0)))
    place = torch.device("cpu") if device == "cpu" else _gpu(local)
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield place
        return
    _check_store()
    try:
        _join(device, place)
        made = dist.new_group(timeout=timedelta(minutes=stalled_after_minutes))
        assert isinstance(made, dist.ProcessGroup)  # and not torch's sign for a rank that is not in it
        _of_steps = made
        yield place
    except RuntimeError as error:
        if not _by_another_rank(error):
            raise
        raise RankLostError(
            f"rank {rank()} lost another of the {world_size()} processes of this training: it died, or stood still for "
            f"longer than hardware.stalled_after_minutes={stalled_after_minutes:g}. What it said last stands above. "
            "torchrun brings all of them back to the last checkpoint, at most hardware.max_restarts times; after that "
            f"the same command does. ({error})"
        ) from None
    finally:
        _of_steps = None
        if dist.is_initialized():
            dist.destroy_process_group()  # also after an error: gloo would keep the process from ending


def _join(device: str, place: torch.device) -> None:
    try:
        dist.init_process_group(
            "gloo" if device == "cpu" else "nccl",
            store=_store(),
            rank=int(os.environ["RANK"]),
            world_size=int(os.environ["WORLD_SIZE"]),
            device_id=None if device == "cpu" else place,
            timeout=PATIENCE,
        )
    except dist.DistNetworkError as error:
        if "EADDRINUSE" not in str(error):
            raise
        port = os.environ["MASTER_PORT"]
        raise FridoError(
            f"MASTER_PORT={port}",
            got="a port that another program of this machine uses",
            wanted="a free port, by which the processes of a training find each other",
            do=f"MASTER_PORT={int(port) + 1} on all machines, or torchrun --rdzv-endpoint=HOST:{int(port) + 1}; "
            "hardware=ddp alone finds one by itself.",
        ) from None


def _store() -> dist.Store:
    """Return where the ranks tell each other their addresses, without those of processes that died.

    torchrun's own store outlives the processes, and keeps what they wrote (seen with torch 2.15: those that it starts
    again then wait for the dead ones).
    """
    address, port, torchruns = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), _kept_by_torchrun()
    first = int(os.environ["RANK"]) == 0
    store: dist.Store = dist.TCPStore(address, port, is_master=first and not torchruns, timeout=PATIENCE)
    return dist.PrefixStore(os.environ["TORCHELASTIC_RESTART_COUNT"], store) if torchruns else store


def _kept_by_torchrun() -> bool:
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _check_store() -> None:
    """Refuse a store of torchrun's on several machines, each of which counts the restarts in its own way."""
    several = int(os.environ.get("GROUP_WORLD_SIZE", 1)) > 1
    if several and _kept_by_torchrun() and int(os.environ["TORCHELASTIC_MAX_RESTARTS"]) > 0:
        raise FridoError(
            "torchrun on several machines",
            got="processes that could not be started again: they would wait for those that died",
            wanted=f"{NOT_SHARED}=1 in the environment of every torchrun",
            do=f"{NOT_SHARED}=1 torchrun ..., or --max-restarts=0",
        )


def _by_another_rank(error: RuntimeError) -> bool:
    """Return whether an error says that a rank cannot be reached; gloo has no type for that."""
    return isinstance(error, dist.DistError) or "/gloo/" in str(error)


@contextmanager
def in_step() -> Iterator[None]:
    """Expect the other ranks soon: within the block all arrive at the same words within minutes."""
    global _within
    _within = _of_steps
    try:
        yield
    finally:
        _within = None


def group_of_steps() -> dist.ProcessGroup | None:
    """Return the group with which gradients are exchanged; `None` for torch's own choice."""
    return _of_steps


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
        dist.barrier(group=_within)


def mean(values: Tensor) -> Tensor:
    """Return the mean of `values` over ranks; NaN on one is NaN on all."""
    if world_size() == 1:
        return values
    total = values.clone()
    dist.all_reduce(total, group=_within)
    return total / world_size()


def from_main(value: T) -> T:
    """Return the first rank's `value` (anything picklable) on every rank."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, group=_within)
    return box[0]


def from_all(value: T) -> list[T]:
    """Return every rank's `value` (anything picklable), by rank, on every rank."""
    box = [value] * world_size()
    if world_size() > 1:
        dist.all_gather_object(box, value, group=_within)
    return box


def largest(*numbers: int, device: torch.device) -> list[int]:
    """Return the largest of all ranks, of each of some numbers."""
    if world_size() == 1:
        return list(numbers)
    box = torch.tensor(numbers, device=device)
    dist.all_reduce(box, op=dist.ReduceOp.MAX, group=_within)
    return box.tolist()


@torch.no_grad()
def copy_from_main(tensors: Iterable[Tensor]) -> None:
    """Overwrite `tensors` on every rank by the first rank's."""
    if world_size() > 1:
        for tensor in tensors:
            dist.broadcast(tensor.detach(), src=0, group=_within)


@torch.no_grad()
def check_replicas(tensors: Mapping[str, Tensor], device: torch.device) -> None:
    """Raise if ranks hold different weights: a loss was then differentiated outside DDP, and the run is worthless.

    Compared are two sums over each tensor, one of them weighted by position, so that exchanged values are seen too.
    """
    if world_size() == 1:
        return
    own = torch.stack([sums for tensor in tensors.values() for sums in _sums(tensor.detach(), device)])
    first = own.clone()
    dist.broadcast(first, src=0, group=_within)
    wrong = (own != first).view(-1, 2).any(dim=1).nonzero().flatten().tolist()
    found = [name for names in from_all([list(tensors)[index] for index in wrong]) for name in names]
    if found:
        raise RuntimeError(
            f"the replicas of the model differ between ranks, as in {found[0]} ({len(set(found))} tensors): "
            "a gradient was computed outside DDP's forward"
        )


def _sums(tensor: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    values = tensor.flatten().double()
    places = torch.arange(len(values), dtype=torch.float64, device=values.device)
    return values.sum().to(device), (values @ places).to(device)
