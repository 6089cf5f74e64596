"""Transformer layers over the cells of a feature map, with cross-attention to a condition."""

from collections.abc import Sequence

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from frido.nn.unet_attention import GatedFeedForward, UNetAttention

Pair = tuple[Tensor, Tensor]
"""`(scale, shift)` for a norm, or `(keys, values)` for an attention."""


class TransformerLayer(nn.Module):
    """Self-attention, cross-attention (none where `context_width` is 0) and a feed-forward, each behind a LayerNorm.

    Args:
        width: Of the tokens.
        context_width: Of the condition's tokens; 0 leaves cross-attention out.
        head_channels: See `UNetAttention`.
        dropout: In the feed-forward.
    """

    def __init__(self, *, width: int, context_width: int, head_channels: int | None, dropout: float) -> None:
        super().__init__()
        self.self_norm = nn.LayerNorm(width)
        self.self_attention = UNetAttention(width=width, source_width=width, head_channels=head_channels)
        self.cross_norm: nn.LayerNorm | None = None
        self.cross_attention: UNetAttention | None = None
        if context_width:
            self.cross_norm = nn.LayerNorm(width)
            self.cross_attention = UNetAttention(width=width, source_width=context_width, head_channels=head_channels)
        self.forward_norm = nn.LayerNorm(width)
        self.feed_forward = GatedFeedForward(width=width, expansion=4, dropout=dropout)

    def forward(
        self,
        hidden: Float[Tensor, "batch positions width"],
        context: Pair | None,
        mask: Bool[Tensor, "batch tokens"] | None,
    ) -> Float[Tensor, "batch positions width"]:
        normed = self.self_norm(hidden)
        hidden = self.self_attention(normed, *self.self_attention.keys_values(normed)) + hidden
        if self.cross_attention is not None:
            assert self.cross_norm is not None and context is not None, "built for a context, called without one"
            hidden = self.cross_attention(self.cross_norm(hidden), *context, mask) + hidden
        return self.feed_forward(self.forward_norm(hidden)) + hidden


class SpatialTransformer(nn.Module):
    """A norm, a 1x1 convolution in, transformer layers over the cells, and a zero-initialised 1x1 convolution out.

    Args:
        channels: Of the feature map.
        norm: Called as `norm(hidden, modulation)`.
        depth: Number of transformer layers.
        context_width: See `TransformerLayer`.
        head_channels: See `UNetAttention`.
        dropout: In the feed-forwards.
    """

    def __init__(
        self,
        *,
        channels: int,
        norm: nn.Module,
        depth: int,
        context_width: int,
        head_channels: int | None,
        dropout: float,
    ) -> None:
        super().__init__()
        self.norm = norm
        self.project_in = nn.Conv2d(channels, channels, 1)
        self.layers = nn.ModuleList(
            TransformerLayer(width=channels, context_width=context_width, head_channels=head_channels, dropout=dropout)
            for _ in range(depth)
        )
        self.project_out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.project_out.weight)
        nn.init.zeros_(self.project_out.bias)  # type: ignore[arg-type]

    def forward(
        self,
        hidden: Float[Tensor, "batch channels height width"],
        modulation: Pair | None,
        contexts: Sequence[Pair],
        mask: Bool[Tensor, "batch tokens"] | None,
    ) -> Float[Tensor, "batch channels height width"]:
        """`contexts` are keys and values, one pair per layer with cross-attention."""
        height = hidden.shape[2]
        tokens = rearrange(self.project_in(self.norm(hidden, modulation)), "b c h w -> b (h w) c")
        for index, layer in enumerate(self.layers):
            tokens = layer(tokens, contexts[index] if contexts else None, mask)
        # Left as a view, the channels stay last in memory, and so do they in all that follows; group norms are then
        # 18 times slower on a CPU.
        cells = rearrange(tokens, "b (h w) c -> b c h w", h=height).contiguous()
        return self.project_out(cells) + hidden
