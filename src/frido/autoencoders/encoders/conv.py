"""The multi-scale encoder of Frido's MS-VQGAN: a VQGAN trunk with a head at each of its last levels."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.encoders.base import Encoder
from frido.contracts.errors import FridoError
from frido.nn.conv_attention import ConvAttention
from frido.nn.conv_level import Level
from frido.nn.conv_resblock import ConvResBlock
from frido.nn.norms import group_norm
from frido.nn.resample import Downsample


class Head(nn.Module):
    """From the trunk's features at one scale to that scale's map: block, attention, block, 3x3 convolution."""

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block_in = ConvResBlock(in_channels=in_channels, out_channels=in_channels)
        self.attention = ConvAttention(channels=in_channels)
        self.block_out = ConvResBlock(in_channels=in_channels, out_channels=in_channels)
        self.norm = group_norm(in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(
        self, features: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height width"]:
        hidden = self.block_out(self.attention(self.block_in(features)))
        return self.conv(F.silu(self.norm(hidden)))


class ConvEncoder(Encoder):
    """Levels of residual blocks, each at half the resolution of the one before; the last `num_scales` have heads.

    Args:
        channels: Of every map; added by the autoencoder.
        num_scales: Number of maps; added by the autoencoder.
        width: Channels of the first level, before its multiplier.
        multipliers: Width of each level in units of `width`; the coarsest factor is `2 ** (levels - 1)`.
        num_blocks: Residual blocks per level.
        attention_factors: Levels with attention, by their distance from the image (8 = 8 times smaller).
    """

    def __init__(
        self,
        *,
        channels: int,
        num_scales: int,
        width: int,
        multipliers: list[int],
        num_blocks: int,
        attention_factors: list[int],
    ) -> None:
        super().__init__()
        if num_scales > len(multipliers):
            raise FridoError(
                "autoencoder.encoder.multipliers",
                got=f"{len(multipliers)} levels for {num_scales} scales",
                wanted="at least one level per scale",
                do="give more multipliers or lower autoencoder.num_scales",
            )
        factors = [2**level for level in range(len(multipliers))]
        self.factors = tuple(reversed(factors[-num_scales:]))
        widths = [width * multiplier for multiplier in multipliers]
        self.conv_in = nn.Conv2d(3, width, 3, padding=1)
        self.levels = nn.ModuleList(
            Level(in_channels=before, out_channels=after, num_blocks=num_blocks, attention=factor in attention_factors)
            for before, after, factor in zip([width, *widths[:-1]], widths, factors, strict=True)
        )
        self.downsamples = nn.ModuleList(Downsample(channels=channels_out) for channels_out in widths[:-1])
        self.heads = nn.ModuleList(
            Head(in_channels=in_channels, out_channels=channels) for in_channels in reversed(widths[-num_scales:])
        )

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[Float[Tensor, "batch channels _ _"], ...]:
        features = self.conv_in(images.contiguous())
        trunk = []
        for index, level in enumerate(self.levels):
            features = level(features if index == 0 else self.downsamples[index - 1](features))
            trunk.append(features)
        coarsest_first = trunk[: -len(self.heads) - 1 : -1]
        return tuple(head(features) for head, features in zip(self.heads, coarsest_first, strict=True))
