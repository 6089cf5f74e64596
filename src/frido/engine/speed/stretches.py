"""The parts of a training's time that have names, for who looks at a trace of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.profiler import record_function

NAMES = ("data", "forward", "backward", "optimizer", "ema", "logging", "looking", "checkpoint")
"""In the order of a step: waiting for the batch, the two passes, the optimizer with the means over ranks, averages of
weights, what is logged, samples and held-out images, checkpoints and snapshots."""

PREFIX = "frido/"


@contextmanager
def stretch(name: str, *, phase: str = "") -> Iterator[None]:
    """Give the block a name in traces, with the phase that it belongs to.

    While a trace is taken, a GPU's work ends in the block that asked for it, so that each is told its own time.
    """
    assert name in NAMES, name
    with record_function(f"{PREFIX}{name}/{phase}"):
        yield
        if torch.cuda.is_initialized() and torch.autograd._profiler_enabled():
            torch.cuda.synchronize()
