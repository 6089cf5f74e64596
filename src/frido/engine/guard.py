"""Looking at a training without touching it."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def undisturbed(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Put random generators, gradient mode and the train or eval mode of every submodule back at the end.

    Weights are not guarded: who looks is given a copy of them.
    """
    modes = {module: module.training for root in modules for module in root.modules()}
    python, legacy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())), torch.no_grad():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        for module, training in modes.items():
            module.training = training
