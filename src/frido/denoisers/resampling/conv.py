"""Convolutions between levels."""

from collections.abc import Callable

from torch import nn

from frido.denoisers.resampling.base import Resampling
from frido.nn.unet_resblock import UNetDownsample, UNetUpsample


class ConvResampling(Resampling):
    """A strided convolution going down, nearest doubling and a convolution going up (LDM, Frido)."""

    def down(self, *, channels: int, factor: int, residual: Callable[..., nn.Module]) -> nn.Module:
        return UNetDownsample(channels=channels)

    def up(self, *, channels: int, factor: int, residual: Callable[..., nn.Module]) -> nn.Module:
        return UNetUpsample(channels=channels)
