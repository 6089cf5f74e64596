"""A stack of residual blocks at one resolution."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from frido.nn.conv_attention import ConvAttention
from frido.nn.conv_resblock import ConvResBlock


class Level(nn.Module):
    """Residual blocks at one resolution, each followed by attention where asked for."""

    def __init__(self, *, in_channels: int, out_channels: int, num_blocks: int, attention: bool) -> None:
        super().__init__()
        widths = [in_channels] + [out_channels] * num_blocks
        self.blocks = nn.ModuleList(
            ConvResBlock(in_channels=before, out_channels=after) for before, after in pairwise(widths)
        )
        self.attention = nn.ModuleList(
            ConvAttention(channels=out_channels) if attention else nn.Identity() for _ in range(num_blocks)
        )

    def forward(
        self, features: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height width"]:
        for block, attention in zip(self.blocks, self.attention, strict=True):
            features = attention(block(features))
        return features
