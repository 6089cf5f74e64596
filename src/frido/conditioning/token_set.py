"""Tokens as a set: a transformer without positions."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from frido.conditioning.layers import FeedForward, SelfAttention
from frido.contracts.context import Context


class TokenSet(nn.Module):
    """Puts a token for the whole scene before a set of tokens and lets all of them see each other.

    There is no position embedding, so the order of the tokens means nothing; biases may say what belongs together.
    The scene's token is always real, so a scene without objects is a context too; the empty context is another learned
    token in its place and nothing else.

    Args:
        width: Of the tokens.
        depth: Transformer layers; 0 leaves the tokens as they are, but for a norm.
        heads: Of the attention.
    """

    def __init__(self, *, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.scene = nn.Parameter(0.02 * torch.randn(width))
        self.nothing = nn.Parameter(0.02 * torch.randn(width))
        self.attentions = nn.ModuleList(
            SelfAttention(width=width, heads=heads, head_width=width // heads) for _ in range(depth)
        )
        self.feed_forwards = nn.ModuleList(FeedForward(width=width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens width"],
        real: Bool[Tensor, "batch tokens"],
        biases: Sequence[Float[Tensor, "batch heads tokens tokens"]] = (),
    ) -> Context:
        """Return a context of one token more; `real` is False on padding, which comes out as zeros.

        `biases` are added to the scores of attention (from, to), one per layer; the scene's token has none.
        """
        scene = self.scene.expand(len(tokens), 1, -1)
        mask = torch.cat([real.new_ones(len(real), 1), real], dim=1)
        hidden = torch.cat([scene, tokens], dim=1)
        for index, (attention, feed_forward) in enumerate(zip(self.attentions, self.feed_forwards, strict=True)):
            bias = F.pad(biases[index], (1, 0, 1, 0)) if biases else None
            hidden = feed_forward(attention(hidden, mask, bias))
        return Context(tokens=self.norm(hidden) * mask[..., None], mask=mask)

    def empty(self, batch: int, tokens: int) -> Context:
        """Return the empty context in the shapes of `forward` on `tokens` tokens."""
        nothing = self.norm(self.nothing).expand(batch, 1, -1)
        padding = nothing.new_zeros(batch, tokens, nothing.shape[-1])
        mask = torch.arange(tokens + 1, device=nothing.device) == 0
        return Context(tokens=torch.cat([nothing, padding], dim=1), mask=mask.expand(batch, -1))
