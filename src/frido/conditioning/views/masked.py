"""The image with holes: inpainting."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from frido.conditioning.views.base import Prepared, View, require_images
from frido.conditioning.views.masks import Masks
from frido.contracts.batch import Batch
from frido.contracts.pyramid import Pyramid
from frido.contracts.scene import Vocabulary


class Masked(View):
    """The finest latents of the image with holes, and where the holes are (Rombach et al., 2022, section 4.5).

    As LDM's trained inpainting model has it: hidden pixels are black (-1); the mask is 1 in a hole and -1 elsewhere,
    brought to the latent grid by nearest neighbour, and comes after the latents: 3 + 1 channels for f4. (The mask that
    LDM's samplers take is the other way round: 1 keeps.) Latents are cached, so an image keeps its mask.

    Args:
        vocabulary: Not used (run time).
        latent_channels: Of the finest scale (run time).
        factor: Not used (run time).
        masks: Where holes are.
    """

    masks: Masks

    def __init__(self, *, vocabulary: Vocabulary, latent_channels: int, factor: int, masks: Masks) -> None:
        super().__init__()
        self.channels = latent_channels + 1
        self.masks = masks

    def check(self, batch: Batch) -> None:
        require_images(batch, "masked")

    def prepare(self, batch: Batch, *, encode: Callable[[Tensor], Pyramid]) -> Prepared:
        latents = encode(self.picture(batch))[-1].float()
        mask = F.interpolate(self._holes(batch), size=latents.shape[2:], mode="nearest")
        return torch.cat([latents, 2 * mask - 1], dim=1)

    def picture(self, batch: Batch) -> Float[Tensor, "batch 3 height width"]:
        return torch.where(self._holes(batch) > 0, -1.0, batch.pixels)

    def forward(self, prepared: Prepared) -> Float[Tensor, "batch channels map_height map_width"]:
        assert prepared is not None, "masked was not prepared"
        return prepared

    def _holes(self, batch: Batch) -> Float[Tensor, "batch 1 height width"]:
        """Return 1 where pixels are hidden, else 0."""
        height, width = batch.pixels.shape[2:]
        holes = np.stack([self.masks.draw(key, height, width) for key in batch.positions.tolist()])
        return torch.from_numpy(holes)[:, None].to(batch.pixels)
