"""The most that this machine computes: the rate of a product of two large matrices, as torch does it here."""

import time
from functools import cache

import torch

from frido.engine.precision import TYPES

GPU_SIDE, CPU_SIDE = 8192, 1024
"""Of the square matrices."""

LEAST, MOST, SECONDS = 2, 20, 0.3
"""Products that are timed: as many as fit into the time."""


@cache
def flops_per_second(device: torch.device, *, precision: str) -> float:
    """Return floating-point operations a second, 2 for a multiply-add; measured once in a process.

    It is what one process reaches on its device, with the threads that it has, and no figure of a vendor: those are
    seldom reached by anything. The best of several products counts. No random number is drawn.

    Args:
        device: A GPU's statistic of most memory begins anew.
        precision: As in `Training`. In "fp32" a GPU computes as it was told to (TF32 or not). On CPUs float32 stands
            for "fp16", whose products torch does not do fast there.
    """
    low = None if device.type == "cpu" and precision == "fp16" else TYPES[precision]
    side = CPU_SIDE if device.type == "cpu" else GPU_SIDE
    numbers = torch.arange(side, dtype=torch.float32, device=device)
    matrix = torch.outer(numbers, numbers).sin_().to(low or torch.float32)  # no two alike: power depends on it
    product = torch.empty_like(matrix)
    best, start = float("inf"), time.perf_counter()
    for count in range(MOST):
        if count > LEAST and time.perf_counter() - start > SECONDS:
            break
        _wait(device)
        before = time.perf_counter()
        torch.mm(matrix, matrix, out=product)
        _wait(device)
        best = min(best, time.perf_counter() - before)
    if device.type == "cuda":
        del numbers, matrix, product
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    return 2 * side**3 / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
