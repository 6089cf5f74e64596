"""Each scale on its own grid."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from frido.contracts.pyramid import Pyramid
from frido.diffusion.layouts.base import Layout, Shape


class Native(Layout):
    """Chains run where the autoencoder put the latents; only conditions are resized (nearest neighbour)."""

    def shapes(self, own: Sequence[Shape]) -> list[Shape]:
        return list(own)

    def arrange(self, pyramid: Pyramid) -> Pyramid:
        return pyramid

    def coarse(self, arranged: Pyramid, *, own: Sequence[Shape]) -> Pyramid:
        grid = own[len(arranged)][1:]
        return tuple(F.interpolate(latent, size=grid, mode="nearest") for latent in arranged)

    def settle(self, chain_end: Tensor, *, scale: int, own: Sequence[Shape]) -> Tensor:
        return chain_end

    def restore(self, arranged: Pyramid, *, own: Sequence[Shape]) -> Pyramid:
        return arranged
