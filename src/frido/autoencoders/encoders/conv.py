"""The multi-scale encoder of Frido's MS-VQGAN: a VQGAN trunk with a head at each level that is wanted."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.encoders.base import Encoder
from frido.autoencoders.levels import factors_down_to, widths_for
from frido.nn.conv_attention import ConvAttention
from frido.nn.conv_level import Level
from frido.nn.conv_resblock import ConvResBlock
from frido.nn.layout import fast_layout
from frido.nn.norms import group_norm
from frido.nn.resample import Downsample


class Head(nn.Module):
    """From the trunk's features at one scale to that scale's map: block, attention, block, 3x3 convolution."""

    def __init__(self, *, in_channels: int, out_channels: int, attention: bool) -> None:
        super().__init__()
        self.block_in = ConvResBlock(in_channels=in_channels, out_channels=in_channels)
        self.attention = ConvAttention(channels=in_channels) if attention else nn.Identity()
        self.block_out = ConvResBlock(in_channels=in_channels, out_channels=in_channels)
        self.norm = group_norm(in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(
        self, features: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height width"]:
        hidden = self.block_out(self.attention(self.block_in(features)))
        return self.conv(F.silu(self.norm(hidden)))


class ConvEncoder(Encoder):
    """Levels of residual blocks, each at half the resolution of the one before; those at `factors` have heads.

    Args:
        channels: Of every map; added by the autoencoder.
        factors: Of the maps, coarsest first; added by the autoencoder.
        width: Channels of the first level, before its multiplier.
        multipliers: Width of each level in units of `width`, finest first; the last one repeats.
        num_blocks: Residual blocks per level.
        attention_factors: Levels with attention, by their distance from the image (8 = 8 times smaller).
        head_attention: Whether heads attend; in LDM's `noattn` models they do not.
    """

    def __init__(
        self,
        *,
        channels: int,
        factors: list[int],
        width: int,
        multipliers: list[int],
        num_blocks: int,
        attention_factors: list[int],
        head_attention: bool,
    ) -> None:
        super().__init__()
        levels = factors_down_to(factors[0])
        widths = widths_for(factors[0], width=width, multipliers=multipliers)
        self.levels_with_heads = [levels.index(factor) for factor in factors]
        self.conv_in = nn.Conv2d(3, width, 3, padding=1)
        self.levels = nn.ModuleList(
            Level(in_channels=before, out_channels=after, num_blocks=num_blocks, attention=factor in attention_factors)
            for before, after, factor in zip([width, *widths[:-1]], widths, levels, strict=True)
        )
        self.downsamples = nn.ModuleList(Downsample(channels=channels_out) for channels_out in widths[:-1])
        self.heads = nn.ModuleList(
            Head(in_channels=widths[level], out_channels=channels, attention=head_attention)
            for level in self.levels_with_heads
        )

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[Float[Tensor, "batch channels _ _"], ...]:
        features = self.conv_in(fast_layout(images))
        trunk = []
        for index, level in enumerate(self.levels):
            features = level(features if index == 0 else self.downsamples[index - 1](features))
            trunk.append(features)
        return tuple(head(trunk[level]) for head, level in zip(self.heads, self.levels_with_heads, strict=True))
