"""A light encoder for small machines: pixels to channels at once, no work at full resolution."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.encoders.base import Encoder
from frido.nn.conv_resblock import ConvResBlock
from frido.nn.norms import group_norm
from frido.nn.resample import Downsample


class Head(nn.Module):
    """Norm, swish, 3x3 convolution to the map of one scale."""

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = group_norm(in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(
        self, features: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height width"]:
        return self.conv(F.silu(self.norm(features)))


class PixelUnshuffleEncoder(Encoder):
    """Squares of `factor` x `factor` pixels become one position; every coarser scale halves the grid once more.

    Args:
        channels: Of every map; added by the autoencoder.
        num_scales: Number of maps; added by the autoencoder.
        width: Channels of all residual blocks.
        factor: Of the finest scale.
        num_blocks: Residual blocks per scale.
    """

    def __init__(self, *, channels: int, num_scales: int, width: int, factor: int, num_blocks: int) -> None:
        super().__init__()
        self.factors = tuple(factor * 2**step for step in reversed(range(num_scales)))
        self.unshuffle = nn.PixelUnshuffle(factor)
        self.conv_in = nn.Conv2d(3 * factor**2, width, 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(*(ConvResBlock(in_channels=width, out_channels=width) for _ in range(num_blocks)))
            for _ in range(num_scales)
        )
        self.downsamples = nn.ModuleList(Downsample(channels=width) for _ in range(num_scales - 1))
        self.heads = nn.ModuleList(Head(in_channels=width, out_channels=channels) for _ in range(num_scales))

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[Float[Tensor, "batch channels _ _"], ...]:
        features = self.conv_in(self.unshuffle(images.contiguous()))
        trunk = []
        for index, level in enumerate(self.levels):
            features = level(features if index == 0 else self.downsamples[index - 1](features))
            trunk.append(features)
        return tuple(head(features) for head, features in zip(self.heads, reversed(trunk), strict=True))
