"""Norm, swish, convolution, of which training keeps the input alone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

LARGE = 2**20
"""Values of a map from which on it is done so; with smaller ones the bookkeeping takes longer than it is worth."""


def activated(norm: nn.Module, conv: nn.Module, features: Tensor) -> Tensor:
    """Return `conv(silu(norm(features)))`, exactly.

    Of large maps, the backward pass makes the normed and the activated one again, which is cheap, and two of three
    need not be kept. The convolution is not computed twice: recomputing stops where its input is there.
    """
    if not torch.is_grad_enabled() or features.numel() < LARGE:
        return _compute(norm, conv, features)
    return checkpoint(_compute, norm, conv, features, use_reentrant=False, preserve_rng_state=False)


def _compute(norm: nn.Module, conv: nn.Module, features: Tensor) -> Tensor:
    return conv(F.silu(norm(features)))
