"""Self-attention over the pixels of a feature map, as the VQGAN family uses it."""

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from frido.nn.norms import group_norm


class ConvAttention(nn.Module):
    """One head as wide as the map, 1x1 convolutions for queries, keys, values and output, a skip around it."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(
        self, features: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        normed = self.norm(features)
        query, key, value = (
            rearrange(project(normed), "b c h w -> b 1 (h w) c") for project in (self.query, self.key, self.value)
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        return features + self.out(rearrange(attended, "b 1 (h w) c -> b c h w", h=features.shape[-2]))
