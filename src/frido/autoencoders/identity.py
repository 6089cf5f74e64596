"""Images as their own latents, for diffusion on pixels: LDM-1 (Rombach et al., 2022), cascades (Ho et al., 2022)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.base import Autoencoder, Reconstruction, at_least_float32
from frido.contracts.errors import FridoError
from frido.contracts.pyramid import Pyramid
from frido.nn.resample import nearest


class Identity(Autoencoder):
    """Each scale is the image, averaged over squares of `factor` x `factor` pixels. Nothing is trained.

    Only the finest scale that is there is decoded; with factor 1 there it is the image, bit for bit.

    Args:
        factors: How many times smaller than the image each scale is, coarsest first: [1] is the image alone, [4, 1]
            what a cascade of two models works on.
        seed: Of the order of images, as for any autoencoder; there are no weights.
    """

    def __init__(self, *, factors: list[int], seed: int) -> None:
        super().__init__(factors=factors, channels=3, seed=seed)
        self.num_codes = self.num_codebooks = (0,) * len(factors)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Reconstruction:
        self.check(images)
        latents = self.latents(images)
        size = (images.shape[-2], images.shape[-1])
        loss = latents[-1].new_zeros(())
        codes = self.pyramid_to_codes(latents)
        return Reconstruction(nearest(latents[-1], size), loss, codes, lambda scale: nearest(latents[scale], size))

    def latents(self, images: Float[Tensor, "batch 3 height width"]) -> Pyramid:
        pixels = at_least_float32(images)
        return tuple(pixels if factor == 1 else F.avg_pool2d(pixels, factor) for factor in self.factors)

    def decode(self, pyramid: Pyramid) -> Float[Tensor, "batch 3 height width"]:
        height, width = pyramid[-1].shape[-2:]
        finest = len(pyramid) - 1
        size = (height * self.factors[finest], width * self.factors[finest])
        return nearest(pyramid[finest] / self.scale_factors[finest], size)

    @property
    def last_layer(self) -> nn.Parameter:
        raise FridoError(
            "autoencoder=identity",
            got="a loss that asks for the layer which produces the image",
            wanted="a loss without an opponent: there is nothing to train",
            do="autoencoder/loss=reconstruction",
        )
