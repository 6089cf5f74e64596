"""Halving and doubling of feature maps, and the alignment of maps of different sizes."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Downsample(nn.Module):
    """Halve both sides with a strided 3x3 convolution, padded at the right and at the bottom only."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(
        self, features: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels half_height half_width"]:
        return self.conv(F.pad(features, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Double both sides: nearest neighbour, then a 3x3 convolution.

    Both at once, on the small grid: as a transposed convolution with stride 2 whose 4x4 kernel is the 3x3 one summed
    over the repeated values. Equal up to rounding, with 4 of 9 multiplications.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(
        self, features: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels twice_height twice_width"]:
        padded = F.pad(self.conv.weight.flip(-2, -1), (1, 1, 1, 1))
        kernel = F.avg_pool2d(padded, 2, stride=1, divisor_override=1).transpose(0, 1)
        return F.conv_transpose2d(features, kernel, self.conv.bias, stride=2, padding=1)


def nearest(
    features: Float[Tensor, "batch channels height width"], size: tuple[int, int]
) -> Float[Tensor, "batch channels to_height to_width"]:
    """Return `features` on a grid of `size` (height, width), each value repeated; the same tensor if it fits."""
    return features if features.shape[-2:] == size else F.interpolate(features, size=size, mode="nearest")


def on_grid(
    features: Float[Tensor, "batch channels height width"], size: tuple[int, int]
) -> Float[Tensor, "batch channels to_height to_width"]:
    """Return `features` on a grid of `size`: repeated where that is finer, averaged where it is coarser."""
    if features.shape[-2] <= size[0]:
        return nearest(features, size)
    return F.adaptive_avg_pool2d(features, size)
