"""Features without images."""

import torch
from torch import Tensor

from frido.metrics.features.base import Features


def features(rows: Tensor, logits: Tensor | None = None) -> Features:
    """Return features of images numbered from 0."""
    numbers = torch.arange(len(rows))
    return Features(numbers, numbers, rows.float(), torch.zeros(len(rows), 2) if logits is None else logits.float())


def gaussian(count: int, dimension: int, seed: int, *, scale: float = 1.0, shift: float = 3.0) -> Features:
    """Return correlated Gaussian features; the correlation is the seed's."""
    random = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimension, dimension, generator=random)
    return features(scale * torch.randn(count, dimension, generator=random) @ mixing + shift)
