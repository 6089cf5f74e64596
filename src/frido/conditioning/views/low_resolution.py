"""The image in low resolution: super-resolution."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from frido.conditioning.views.base import Prepared, View, require_images, require_sides
from frido.contracts.batch import Batch
from frido.contracts.errors import FridoError
from frido.contracts.pyramid import Pyramid
from frido.contracts.scene import Vocabulary


class LowResolution(View):
    """The image reduced by the mean over squares, which is antialiased and the same in every library.

    Where the reduced image is larger than the finest latent grid, each latent cell gets all its pixels as channels,
    so that nothing is lost. LDM's `bsr_sr` shows 64 x 64 pixels to 64 x 64 latents: 3 channels (Rombach et al., 2022,
    section 4.4; its pictures are degraded by more than a reduction).

    Prepared are bytes, as in a file: the means rounded to 0 ... 255, in training as in sampling.

    Args:
        vocabulary: Not used (run time).
        latent_channels: Not used (run time).
        factor: Of the finest latent grid (run time).
        reduction: How many times smaller both sides become; divides `factor` or is a multiple of it.
    """

    def __init__(self, *, vocabulary: Vocabulary, latent_channels: int, factor: int, reduction: int) -> None:
        super().__init__()
        if reduction < 1 or (factor % reduction and reduction % factor):
            raise FridoError(
                "view.reduction",
                got=f"{reduction}, with an autoencoder of factor {factor}",
                wanted="a divisor or a multiple of that factor, 1 or more",
                do=f"view.reduction={factor}",
            )
        self.reduction = reduction
        self.pixels_per_cell = max(1, factor // reduction)
        self.channels = 3 * self.pixels_per_cell**2

    def check(self, batch: Batch) -> None:
        require_images(batch, "low_resolution")
        require_sides(batch, "low_resolution", "view.reduction", self.reduction)

    def prepare(self, batch: Batch, *, encode: Callable[[Tensor], Pyramid]) -> Prepared:
        return self._bytes(batch)

    def picture(self, batch: Batch) -> Float[Tensor, "batch 3 height width"]:
        return F.interpolate(_shown(self._bytes(batch)), scale_factor=self.reduction, mode="nearest")

    def forward(self, prepared: Prepared) -> Float[Tensor, "batch channels map_height map_width"]:
        assert prepared is not None, "low_resolution was not prepared"
        assert prepared.dtype == torch.uint8, "low_resolution is prepared as bytes"
        return F.pixel_unshuffle(_shown(prepared), self.pixels_per_cell)

    def _bytes(self, batch: Batch) -> UInt8[Tensor, "batch 3 low_height low_width"]:
        means = F.avg_pool2d(batch.pixels, self.reduction)
        return ((means + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _shown(prepared: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
    """Return bytes as numbers in [-1, 1]."""
    return prepared.float() / 127.5 - 1
