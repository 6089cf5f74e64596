"""Number formats of the forward pass. Weights, gradients and optimizer stay float32 in all of them."""

from contextlib import AbstractContextManager, nullcontext

import torch

TYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = tuple(TYPES)


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """Return the context of one forward pass."""
    dtype = TYPES[precision]
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)


def scaler(precision: str, device: torch.device) -> torch.amp.GradScaler:
    """Return what scales a loss, so that small gradients survive; idle but in fp16: others have float32's exponents."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")


def allow_tf32(allowed: bool) -> None:
    """Let a GPU round the factors of float32 products and convolutions to TF32 (10 bits of mantissa), or not.

    Of this process, whatever was set before. Sums stay float32; other devices do not know the format.
    """
    chosen = "tf32" if allowed else "ieee"
    torch.backends.cuda.matmul.fp32_precision = chosen
    torch.backends.cudnn.conv.fp32_precision = chosen  # type: ignore[attr-defined]
