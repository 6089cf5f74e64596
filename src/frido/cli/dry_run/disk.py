"""What a run writes."""

import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from frido.contracts.batch import Batch
from frido.engine.averages.power import Power
from frido.engine.counting import memory
from frido.engine.counting.memory import Standing
from frido.engine.training import Training


class Space(NamedTuple):
    """Bytes: of one checkpoint, of all that are there at once (the one being written too), of all snapshots."""

    checkpoint: int
    kept: int
    snapshots: int


def space(model: nn.Module, standing: Standing, training: Training) -> Space:
    """Return what the checkpoints and snapshots of a training take."""
    one = standing.weights + standing.averages + standing.optimizer
    keep = training.keep
    count = keep.last + 1 + (keep.best is not None)
    count += training.images // keep.every_images if keep.every_images else 0
    parameters = sum(p.numel() * (2 if p.is_floating_point() else p.element_size()) for p in model.parameters())
    buffers = memory.size_of(model.buffers())
    power = sum(isinstance(average, Power) for average in training.averages.values())
    moments = training.images // training.snapshot_every_images if training.snapshot_every_images else 0
    return Space(one, one * count, power * moments * (parameters + buffers))


def table(batch: Batch, images: int | None) -> int:
    """Return what the latents of so many images take, with what is kept beside them; of a batch of the same."""
    kept = [*(batch.pyramid or ()), *batch.annotations, *([] if batch.view is None else [batch.view])]
    return sum(tensor.nbytes for tensor in kept) // batch.size * (images or 0)


def free(root: Path) -> int:
    """Return the free bytes of the disk that the folder `root` is on, or would be."""
    place = root.resolve()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def memory_of_machine(device: torch.device) -> int | None:
    """Return the bytes of the device that a process would have here; `None` where there is no such device."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else None
    import os

    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
