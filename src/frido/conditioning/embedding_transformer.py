"""The text encoder of LDM and Frido: a transformer over ids, trained with the denoiser."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from frido.conditioning.layers import FeedForward, SelfAttention


class EmbeddingTransformer(nn.Module):
    """Embeds ids and their places and lets all of them see each other (LDM's `BERTEmbedder` without its tokenizer).

    A pre-norm encoder with learned absolute positions and a final norm. The official class also makes logits that
    nothing reads; they are not built here.

    Args:
        words: Number of different ids (run time).
        max_tokens: Longest row of ids (run time).
        width: Of the tokens.
        depth: Pairs of attention and feed-forward.
        heads: Of each attention; official: 8.
        head_width: Of each head; official: 64.
    """

    def __init__(self, *, words: int, max_tokens: int, width: int, depth: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.width = width
        self.words = nn.Embedding(words, width)
        self.positions = nn.Embedding(max_tokens, width)
        for table in (self.words, self.positions):
            nn.init.normal_(table.weight, std=0.02)
        self.attentions = nn.ModuleList(
            SelfAttention(width=width, heads=heads, head_width=head_width) for _ in range(depth)
        )
        self.feed_forwards = nn.ModuleList(FeedForward(width=width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, ids: Int[Tensor, "batch tokens"], real: Bool[Tensor, "batch tokens"] | None
    ) -> Float[Tensor, "batch tokens width"]:
        """Return a vector per id. `real` is False on ids that no other is to see; without it all are seen."""
        hidden = self.words(ids) + self.positions(torch.arange(ids.shape[1], device=ids.device))
        for attention, feed_forward in zip(self.attentions, self.feed_forwards, strict=True):
            hidden = feed_forward(attention(hidden, real))
        return self.norm(hidden)
