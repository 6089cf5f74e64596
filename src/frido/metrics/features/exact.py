"""Arithmetic that no setting of a run changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def exact() -> Iterator[None]:
    """Let float32 be float32: `hardware.tf32` and the precision of sampling are no part of a measurement."""
    backends: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        yield
    finally:
        for backend, chosen in zip(backends, before, strict=True):
            backend.fp32_precision = chosen
