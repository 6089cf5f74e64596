"""Several processes that score one set of pictures. With one process the answer is its own."""

from typing import TypeVar

import torch.distributed as dist

T = TypeVar("T")


def from_all(value: T) -> list[T]:
    """Return every process's `value` (anything picklable), by rank, on every process."""
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    box = [value] * dist.get_world_size()
    dist.all_gather_object(box, value)
    return box


def is_first() -> bool:
    """Return whether this process writes the files."""
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0
