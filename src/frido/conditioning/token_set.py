"""Tokens as a set: a transformer without positions."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from frido.contracts.context import Context


class TokenSet(nn.Module):
    """Puts a token for the whole scene before a set of tokens and lets all of them see each other.

    There is no position embedding, so the order of the tokens means nothing. The scene's token is always real, so a
    scene without objects is a context too; the empty context is another learned token in its place and nothing else.

    Args:
        width: Of the tokens.
        depth: Transformer layers; 0 leaves the tokens as they are, but for a norm.
        heads: Of the attention.
    """

    def __init__(self, *, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.scene = nn.Parameter(0.02 * torch.randn(width))
        self.nothing = nn.Parameter(0.02 * torch.randn(width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Float[Tensor, "batch tokens width"], real: Bool[Tensor, "batch tokens"]) -> Context:
        """Return a context of one token more; `real` is False on padding, which comes out as zeros."""
        scene = self.scene.expand(len(tokens), 1, -1)
        mask = torch.cat([real.new_ones(len(real), 1), real], dim=1)
        hidden = torch.cat([scene, tokens], dim=1)
        for layer in self.layers:
            hidden = layer(hidden, src_key_padding_mask=~mask)
        return Context(tokens=self.norm(hidden) * mask[..., None], mask=mask)

    def empty(self, batch: int, tokens: int) -> Context:
        """Return the empty context in the shapes of `forward` on `tokens` tokens."""
        nothing = self.norm(self.nothing).expand(batch, 1, -1)
        padding = nothing.new_zeros(batch, tokens, nothing.shape[-1])
        mask = torch.arange(tokens + 1, device=nothing.device) == 0
        return Context(tokens=torch.cat([nothing, padding], dim=1), mask=mask.expand(batch, -1))
