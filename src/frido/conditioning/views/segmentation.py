"""What each pixel belongs to: semantic synthesis."""

import colorsys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from frido.conditioning.views.base import Prepared, View, require_images, require_sides
from frido.contracts.batch import Batch
from frido.contracts.errors import FridoError
from frido.contracts.pyramid import Pyramid
from frido.contracts.scene import Vocabulary


class Segmentation(View):
    """A learned colour per category, averaged over each latent cell.

    The computation of LDM's `SpatialRescaler` (Rombach et al., 2022, section 4.3.2): one-hot maps, halved bilinearly
    until they fit the latents, then a 1x1 convolution without bias. Halving takes the mean of 2 x 2 pixels, and means
    commute with the convolution, so here each pixel looks its weights up first. The first input channel is "none".

    Prepared are the categories at full resolution: a byte per pixel, and two where there are more than 255 of them.

    Args:
        vocabulary: Of the dataset (run time).
        latent_channels: Not used (run time).
        factor: Of the finest latent grid (run time).
        channels: Of the map; LDM has 3.
    """

    def __init__(self, *, vocabulary: Vocabulary, latent_channels: int, factor: int, channels: int) -> None:
        super().__init__()
        self.channels, self.factor = channels, factor
        self._fits_bytes = len(vocabulary.categories) < 256  # 0 to 254, and 255 for none
        self.projection = nn.Conv2d(len(vocabulary.categories) + 1, channels, 1, bias=False)

    def check(self, batch: Batch) -> None:
        require_images(batch, "segmentation")
        require_sides(batch, "segmentation", "the factor of the autoencoder's finest grid", self.factor)
        if batch.segmentation is None:
            raise FridoError(
                "view=segmentation",
                got=f"a dataset without segmentations ({batch.ids[0]}, ...)",
                wanted="what each pixel of the images belongs to",
                do="data=scenes_segmented, or pack a source that knows it",
            )

    def prepare(self, batch: Batch, *, encode: Callable[[Tensor], Pyramid]) -> Prepared:
        assert batch.segmentation is not None, "segmentation was not checked"
        return batch.segmentation[:, None].to(torch.uint8 if self._fits_bytes else torch.int16)

    def picture(self, batch: Batch) -> Float[Tensor, "batch 3 height width"]:
        """Return a colour for each category, told apart by hue; none is black."""
        assert batch.segmentation is not None, "segmentation was not checked"
        golden = (5**0.5 - 1) / 2  # steps of this share of the wheel never come close to an earlier one
        hues = [colorsys.hsv_to_rgb(golden * k % 1, 0.75, 0.95) for k in range(self.projection.in_channels - 1)]
        colours = 2 * torch.tensor([(0.0, 0.0, 0.0), *hues]) - 1
        return rearrange(colours[batch.segmentation.long().cpu() + 1], "b h w c -> b c h w")

    def forward(self, prepared: Prepared) -> Float[Tensor, "batch channels map_height map_width"]:
        assert prepared is not None, "segmentation was not prepared"
        weights = rearrange(self.projection.weight, "c k 1 1 -> k c")
        rows = (prepared[:, 0] + 1).int()  # none is -1, which is 255 in a byte: 0 after adding 1 to either
        looked_up = F.embedding(rows, weights)
        return F.avg_pool2d(rearrange(looked_up, "b h w c -> b c h w"), self.factor)
