"""Attention and feed-forward layers of the U-Net's transformers (LDM's `CrossAttention`, `FeedForward`)."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F


class UNetAttention(nn.Module):
    """Multi-head attention; keys and values may be computed ahead of queries, since a condition's never change.

    Args:
        width: Of the queries and of the result.
        source_width: Of the tokens attended to.
        head_channels: Width of a head; `None` is one head of `width`, which is what the official code's
            `legacy` switch gives whatever its configuration asks for.
    """

    def __init__(self, *, width: int, source_width: int, head_channels: int | None) -> None:
        super().__init__()
        assert head_channels is None or width % head_channels == 0, f"{width} channels in heads of {head_channels}"
        self.heads = 1 if head_channels is None else width // head_channels
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
        attended = _attend(queries, keys.to(queries.dtype), values.to(queries.dtype), allowed)
        return self.output(rearrange(attended, "b h n d -> b n (h d)"))


def _attend(queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None) -> Tensor:
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
