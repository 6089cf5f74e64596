"""The image in low resolution: super-resolution."""

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float
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
        return F.avg_pool2d(batch.pixels, self.reduction)

    def picture(self, batch: Batch) -> Float[Tensor, "batch 3 height width"]:
        small = F.avg_pool2d(batch.pixels, self.reduction)
        return F.interpolate(small, scale_factor=self.reduction, mode="nearest")

    def forward(self, prepared: Prepared) -> Float[Tensor, "batch channels map_height map_width"]:
        assert prepared is not None, "low_resolution was not prepared"
        return F.pixel_unshuffle(prepared, self.pixels_per_cell)
