"""Attention and feed-forward layers of the U-Net's transformers (LDM's `CrossAttention`, `FeedForward`)."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from frido.contracts.errors import FridoError


class UNetAttention(nn.Module):
    """Multi-head attention; keys and values may be computed ahead of queries, since a condition's never change.

    Args:
        width: Of the queries and of the result.
        source_width: Of the tokens attended to.
        num_heads: Number of heads.
    """

    def __init__(self, *, width: int, source_width: int, num_heads: int) -> None:
        super().__init__()
        self.heads = num_heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(source_width, width, bias=False)
        self.value = nn.Linear(source_width, width, bias=False)
        self.output = nn.Linear(width, width)

    def keys_values(
        self, source: Float[Tensor, "batch tokens source_width"]
    ) -> tuple[Float[Tensor, "batch heads tokens head"], Float[Tensor, "batch heads tokens head"]]:
        """Return what `forward` attends to."""
        keys = rearrange(self.key(source), "b n (h d) -> b h n d", h=self.heads)
        values = rearrange(self.value(source), "b n (h d) -> b h n d", h=self.heads)
        return keys, values

    def forward(
        self,
        hidden: Float[Tensor, "batch positions width"],
        keys: Float[Tensor, "batch heads tokens head"],
        values: Float[Tensor, "batch heads tokens head"],
        mask: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch positions width"]:
        """Attend from every position to the tokens where `mask` is True (all of them without one)."""
        queries = rearrange(self.query(hidden), "b n (h d) -> b h n d", h=self.heads)
        allowed = None if mask is None else mask[:, None, None, :]
        attended = attend(queries, keys.to(queries.dtype), values.to(queries.dtype), allowed)
        return self.output(rearrange(attended, "b h n d -> b n (h d)"))


def count_heads(channels: int, *, num_heads: int | None, head_channels: int | None) -> int:
    """Return the number of heads of an attention over `channels`, given as a number or by their width.

    Raises:
        FridoError: Both or none is given, or heads of that kind do not fit.
    """
    if (num_heads is None) == (head_channels is None):
        raise FridoError(
            "denoiser.attention",
            got=f"num_heads={num_heads} and head_channels={head_channels}",
            wanted="one of the two: how many heads, or how wide each is",
            do="denoiser.attention.num_heads=null, or denoiser.attention.head_channels=null",
        )
    parts = num_heads or head_channels
    assert parts is not None
    if channels % parts:
        raise FridoError(
            "denoiser.attention",
            got=f"num_heads={num_heads} and head_channels={head_channels} at a level of {channels} channels",
            wanted=f"a divisor of {channels}",
            do="denoiser.attention.num_heads=1 denoiser.attention.head_channels=null",
        )
    return num_heads if num_heads else channels // parts


def attend(queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None) -> Tensor:
    """Return the attended values `(batch, heads, positions, head)`; `allowed` broadcasts over the scores."""
    if queries.device.type != "cpu" or queries.dtype == torch.float32:
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=allowed)
    # The CPU kernel is 2 to 4 times slower backward in bf16 than in float32 (torch 2.15, 64 queries of 48 channels).
    with torch.autocast("cpu", enabled=False):
        attended = F.scaled_dot_product_attention(queries.float(), keys.float(), values.float(), attn_mask=allowed)
    return attended.to(queries.dtype)


class GatedFeedForward(nn.Module):
    """GEGLU (Shazeer, 2020): one linear map makes values and gates, GELU of the gates weighs the values.

    Args:
        width: Of input and output.
        expansion: Inner width over `width`.
        dropout: Share of inner activations set to zero in training.
    """

    def __init__(self, *, width: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(width, 2 * expansion * width)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(expansion * width, width)

    def forward(self, hidden: Float[Tensor, "batch positions width"]) -> Float[Tensor, "batch positions width"]:
        values, gates = self.inner(hidden).chunk(2, dim=-1)
        return self.outer(self.dropout(values * F.gelu(gates)))
