"""The number format of the forward pass. Weights, gradients and optimizer stay float32 in all of them."""

from contextlib import AbstractContextManager, nullcontext

import torch

PRECISIONS = ("fp32", "bf16")


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """Return the context of one forward pass. bf16 needs no loss scaling, since it has float32's exponents."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
