"""What transformers over tokens are made of: residual layers behind a LayerNorm."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from frido.nn.unet_attention import attend


class SelfAttention(nn.Module):
    """Residual multi-head self-attention; queries, keys and values have no bias.

    Args:
        width: Of the tokens.
        heads: Number of heads.
        head_width: Of each; together they may be wider or narrower than the tokens.
    """

    def __init__(self, *, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, heads * head_width, bias=False)
        self.key = nn.Linear(width, heads * head_width, bias=False)
        self.value = nn.Linear(width, heads * head_width, bias=False)
        self.output = nn.Linear(heads * head_width, width)

    def forward(
        self,
        hidden: Float[Tensor, "batch tokens width"],
        real: Bool[Tensor, "batch tokens"] | None,
        bias: Float[Tensor, "batch heads tokens tokens"] | None = None,
    ) -> Float[Tensor, "batch tokens width"]:
        """`real` is False on tokens that none is to see; `bias` is added to the scores, from and to."""
        normed = self.norm(hidden)
        queries, keys, values = (
            rearrange(project(normed), "b n (h d) -> b h n d", h=self.heads)
            for project in (self.query, self.key, self.value)
        )
        allowed = None if real is None else real[:, None, None, :]
        if bias is not None:
            # `attend` computes in float32 on a CPU
            bias = bias.to(torch.float32 if bias.device.type == "cpu" else queries.dtype)
            allowed = bias if allowed is None else bias.masked_fill(~allowed, float("-inf"))
        attended = attend(queries, keys, values, allowed)
        return hidden + self.output(rearrange(attended, "b h n d -> b n (h d)"))


class FeedForward(nn.Module):
    """Residual layer of GELUs, four times as wide as the tokens.

    Args:
        width: Of the tokens.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 4 * width)
        self.outer = nn.Linear(4 * width, width)

    def forward(self, hidden: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        return hidden + self.outer(F.gelu(self.inner(self.norm(hidden))))
