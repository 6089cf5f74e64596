"""The KL-regularised autoencoder of LDM (Rombach et al., 2022, section 3.1 and appendix G)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.base import Autoencoder, Reconstruction, at_least_float32
from frido.autoencoders.decoders.base import Decoder
from frido.autoencoders.encoders.base import Encoder
from frido.autoencoders.gaussian import DiagonalGaussian
from frido.contracts.errors import FridoError
from frido.contracts.pyramid import Pyramid
from frido.nn.seeded import seeded


class AutoencoderKL(Autoencoder):
    """No codebook: every image becomes a Gaussian over latent maps, held near the standard normal one. One scale.

    Training decodes a sample (of torch's generator, which the engine reseeds for every step), evaluation the mode.
    `latent_loss` is `kl_weight` times the KL divergence in nats per value of the image (3 * height * width of them):
    with a mean absolute error and a weight of 1e-6 the sum is the released objective (sums per image) over the number
    of values; at a weight of 1 the divergence wins and the latents say little.

    Deliberately different from LDM: latents are the mode, where LDM draws anew from the posterior each time diffusion
    looks at an image. An image has one pyramid, which can be stored; the spread left out is small at that weight.

    Args:
        factors: How many times smaller than the image the latent map is, a power of two: one number.
        channels: Of the latent map.
        feature_channels: Of the decoder's input, beyond the 1x1 convolutions around the latents; the encoder's output
            has twice as many, for moments: means and log-variances.
        encoder: Makes an `Encoder`; `channels` (twice `feature_channels`) and `factors` are added here.
        decoder: Makes the `Decoder` to the image; `in_channels`, `out_channels` and `factor` are added here.
        kl_weight: Of the divergence in `latent_loss`.
        seed: Of the initial weights, and of the order of images in this stage.
    """

    def __init__(
        self,
        *,
        factors: list[int],
        channels: int,
        feature_channels: int,
        encoder: Callable[..., Encoder],
        decoder: Callable[..., Decoder],
        kl_weight: float,
        seed: int,
    ) -> None:
        super().__init__(factors=factors, channels=channels, seed=seed)
        if len(factors) != 1:
            raise FridoError(
                "autoencoder.factors",
                got=f"{list(factors)}: {len(factors)} scales",
                wanted="one scale; an autoencoder with a KL divergence has no coarser codes to build on",
                do=f"autoencoder.factors=[{factors[-1]}], or autoencoder=msvqgan",
            )
        with seeded(seed):
            self.encoder = encoder(channels=2 * feature_channels, factors=factors)
            self.project = nn.Conv2d(2 * feature_channels, 2 * channels, 1)
            self.mix = nn.Conv2d(channels, feature_channels, 1)
            self.decoder = decoder(in_channels=feature_channels, out_channels=3, factor=factors[0])
        self.num_codes, self.num_codebooks, self.kl_weight = (0,), (0,), kl_weight

    def posterior(self, images: Float[Tensor, "batch 3 height width"]) -> DiagonalGaussian:
        """Return the distribution of latents, in float32 at least."""
        (features,) = self.encoder(images)
        return DiagonalGaussian(moments=at_least_float32(self.project(features)))

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Reconstruction:
        self.check(images)
        posterior = self.posterior(images)
        latents = posterior.sample(torch.randn_like(posterior.mean)) if self.training else posterior.mode
        made = self._paint(latents)
        codes = self.pyramid_to_codes((latents,))
        divergence = posterior.kl().sum() / images.numel()
        return Reconstruction(made, self.kl_weight * divergence, codes, lambda scale: made)

    def latents(self, images: Float[Tensor, "batch 3 height width"]) -> Pyramid:
        return (self.posterior(images).mode,)

    def decode(self, pyramid: Pyramid) -> Float[Tensor, "batch 3 height width"]:
        (latents,) = pyramid
        return self._paint(latents / self.scale_factors[0])

    @property
    def last_layer(self) -> nn.Parameter:
        return self.decoder.last_layer

    def _paint(self, latents: Tensor) -> Tensor:
        return at_least_float32(self.decoder(self.mix(latents)))
