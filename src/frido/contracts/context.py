"""What a conditioner makes of annotations."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Context(NamedTuple):
    """A condition for a denoiser; absent parts are `None`. The empty condition is a `Context` too.

    `tokens` go to cross-attention, `mask` (True = attend) marks the real ones, `map` is concatenated to the
    noisy latent after resizing, `pooled` is added to the time embedding.
    """

    tokens: Float[Tensor, "batch tokens width"] | None = None
    mask: Bool[Tensor, "batch tokens"] | None = None
    map: Float[Tensor, "batch map_channels map_height map_width"] | None = None
    pooled: Float[Tensor, "batch pooled_width"] | None = None


class ContextWidths(NamedTuple):
    """Channels of each part of a context, 0 where it is absent: what a denoiser is built for."""

    tokens: int
    map: int
    pooled: int


def expand(context: Context, batch: int) -> Context:
    """Return a context of one row as one of `batch` equal rows, which share memory."""
    return Context(*(None if part is None else part.expand(batch, *part.shape[1:]) for part in context))


def choose(keep: Bool[Tensor, "batch"], context: Context, empty: Context) -> Context:
    """Return rows of `context` where `keep`, else rows of `empty` (same shapes): conditioning dropout."""

    def pick(full: Tensor | None, blank: Tensor | None) -> Tensor | None:
        if full is None or blank is None:
            return None
        return torch.where(keep.view(-1, *[1] * (full.dim() - 1)), full, blank.to(full.dtype))

    return Context(*(pick(full, blank) for full, blank in zip(context, empty, strict=True)))
