"""All scales on the finest grid, as in the official code."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from frido.contracts.pyramid import Pyramid
from frido.diffusion.layouts.base import Layout, Shape


class Stacked(Layout):
    """Every latent nearest-upsampled to the finest grid; official weights need this.

    A coarse chain's noise is independent in every fine cell, so its result is averaged over each coarse cell before
    the next scale sees it (official: average pooling, then nearest upsampling).
    """

    def shapes(self, own: Sequence[Shape]) -> list[Shape]:
        return [(channels, *own[-1][1:]) for channels, _, _ in own]

    def arrange(self, pyramid: Pyramid) -> Pyramid:
        grid = pyramid[-1].shape[2:]
        return tuple(F.interpolate(latent, size=grid, mode="nearest") for latent in pyramid)

    def coarse(self, arranged: Pyramid, *, own: Sequence[Shape]) -> Pyramid:
        return arranged

    def settle(self, chain_end: Tensor, *, scale: int, own: Sequence[Shape]) -> Tensor:
        pooled = F.adaptive_avg_pool2d(chain_end, own[scale][1:])
        return F.interpolate(pooled, size=own[-1][1:], mode="nearest")

    def restore(self, arranged: Pyramid, *, own: Sequence[Shape]) -> Pyramid:
        return tuple(F.adaptive_avg_pool2d(latent, shape[1:]) for latent, shape in zip(arranged, own, strict=True))
