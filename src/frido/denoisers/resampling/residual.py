"""Residual blocks between levels."""

from collections.abc import Callable

from torch import nn

from frido.denoisers.resampling.base import Resampling


class ResidualResampling(Resampling):
    """A residual block whose both branches are averaged (down) or repeated (up) (ADM's `resblock_updown`)."""

    def down(self, *, channels: int, factor: int, residual: Callable[..., nn.Module]) -> nn.Module:
        return residual(
            in_channels=channels,
            out_channels=channels,
            factor=factor,
            out_factor=2 * factor,
            resample=nn.AvgPool2d(2),
        )

    def up(self, *, channels: int, factor: int, residual: Callable[..., nn.Module]) -> nn.Module:
        return residual(
            in_channels=channels,
            out_channels=channels,
            factor=factor,
            out_factor=factor // 2,
            resample=nn.Upsample(scale_factor=2, mode="nearest"),
        )
