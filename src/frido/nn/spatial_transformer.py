"""Transformer layers over the cells of a feature map, with cross-attention to a condition."""

from collections.abc import Callable, Sequence

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from frido.nn.unet_attention import GatedFeedForward, UNetAttention, count_heads

Pair = tuple[Tensor, Tensor]
"""Keys and values of an attention."""


class TransformerLayer(nn.Module):
    """Self-attention, cross-attention (none where `context_width` is 0) and a feed-forward, each behind a LayerNorm.

    Args:
        width: Of the tokens.
        context_width: Of the condition's tokens; 0 leaves cross-attention out.
        num_heads: Of both attentions.
        dropout: In the feed-forward.
    """

    def __init__(self, *, width: int, context_width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.self_norm = nn.LayerNorm(width)
        self.self_attention = UNetAttention(width=width, source_width=width, num_heads=num_heads)
        self.cross_norm: nn.LayerNorm | None = None
        self.cross_attention: UNetAttention | None = None
        if context_width:
            self.cross_norm = nn.LayerNorm(width)
            self.cross_attention = UNetAttention(width=width, source_width=context_width, num_heads=num_heads)
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

    Heads are given by their number or by their width; the other is null.

    Args:
        channels: Of the feature map (run time).
        context_width: Of the condition's tokens, 0 without (run time).
        norm: Takes `channels` and `epsilon`; the norm is called as `norm(hidden, modulation, embedding)` (run time).
        depth: Number of transformer layers.
        num_heads: Heads of each attention; 1 is what the official Frido code uses whatever its configuration asks for.
        head_channels: Width of a head.
        dropout: In the feed-forwards.
    """

    def __init__(
        self,
        *,
        channels: int,
        context_width: int,
        norm: Callable[..., nn.Module],
        depth: int,
        num_heads: int | None,
        head_channels: int | None,
        dropout: float,
    ) -> None:
        super().__init__()
        heads = count_heads(channels, num_heads=num_heads, head_channels=head_channels)
        self.norm = norm(channels=channels, epsilon=1e-6)
        self.project_in = nn.Conv2d(channels, channels, 1)
        self.layers = nn.ModuleList(
            TransformerLayer(width=channels, context_width=context_width, num_heads=heads, dropout=dropout)
            for _ in range(depth)
        )
        self.project_out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.project_out.weight)
        nn.init.zeros_(self.project_out.bias)  # type: ignore[arg-type]

    @property
    def num_contexts(self) -> int:
        """How many pairs of keys and values `forward` takes."""
        return sum(layer.cross_attention is not None for layer in self.layers)

    def keys_values(self, tokens: Float[Tensor, "batch tokens context_width"]) -> tuple[Pair, ...]:
        """Return what each layer attends to in a condition."""
        return tuple(layer.cross_attention.keys_values(tokens) for layer in self.layers)  # type: ignore[union-attr,operator]

    def forward(
        self,
        hidden: Float[Tensor, "batch channels height width"],
        embedding: Float[Tensor, "batch embedding_width"],
        modulation: tuple[Tensor, ...],
        contexts: Sequence[Pair],
        mask: Bool[Tensor, "batch tokens"] | None,
    ) -> Float[Tensor, "batch channels height width"]:
        """`contexts` are keys and values, one pair per layer with cross-attention."""
        height = hidden.shape[2]
        tokens = rearrange(self.project_in(self.norm(hidden, modulation, embedding)), "b c h w -> b (h w) c")
        for index, layer in enumerate(self.layers):
            tokens = layer(tokens, contexts[index] if contexts else None, mask)
        # Left as a view, the channels stay last in memory, and so do they in all that follows; group norms are then
        # 18 times slower on a CPU.
        cells = rearrange(tokens, "b (h w) c -> b c h w", h=height).contiguous()
        return self.project_out(cells) + hidden
