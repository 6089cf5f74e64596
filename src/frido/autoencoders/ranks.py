"""What replicas must agree on. With one process every function here is a plain answer."""

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def total(values: Tensor) -> Tensor:
    """Return the sum of `values` over ranks."""
    if world_size() == 1:
        return values
    summed = values.clone()
    dist.all_reduce(summed)
    return summed


def mean(values: Tensor) -> Tensor:
    """Return the mean of `values` over ranks."""
    return total(values) / world_size()


def gathered(rows: Tensor) -> Tensor:
    """Return the rows of all ranks, in order of ranks; every rank has equally many."""
    if world_size() == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(world_size())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def everywhere(flag: bool, device: torch.device) -> bool:
    """Return whether `flag` is true on all ranks."""
    return flag if world_size() == 1 else int(total(torch.tensor(int(flag), device=device))) == world_size()
