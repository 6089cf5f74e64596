"""MS-VQGAN, the multi-scale vector-quantised autoencoder of Frido (Fan et al., 2023, section 3.1)."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.base import Autoencoder, Codes, Reconstruction, at_least_float32
from frido.autoencoders.decoders.base import Decoder
from frido.autoencoders.encoders.base import Encoder
from frido.autoencoders.quantizers.base import Quantized, Quantizer
from frido.contracts.errors import FridoError
from frido.contracts.pyramid import Pyramid
from frido.nn.resample import nearest
from frido.nn.seeded import seeded


class Lift(nn.Module):
    """Bring a quantised map to the next finer grid: a transposed convolution, then a 1x1 convolution."""

    def __init__(self, *, channels: int, feature_channels: int, ratio: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(channels, channels, 2 * ratio, stride=ratio, padding=ratio // 2)
        self.mix = nn.Conv2d(channels, feature_channels, 1)

    def forward(
        self, quantised: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch feature_channels to_height to_width"]:
        return self.mix(self.upsample(quantised))


class MSVQGAN(Autoencoder):
    """A codebook per scale; every finer scale is coded knowing the quantised coarser ones. With one scale, a VQGAN.

    The coarsest map is quantised as it is. At each finer scale the quantised coarser maps, lifted to its grid, are
    joined with the encoder's map and fused by a small network before quantisation. The image is decoded from all
    quantised maps, nearest-upsampled to the finest grid, coarsest channels first.

    Args:
        factors: How many times smaller than the image each latent map is, coarsest first, by powers of two.
        channels: Latent channels of every scale.
        feature_channels: Of every map on the networks' side of the 1x1 convolutions around the codebooks; with
            several scales it is `channels`.
        encoder: Makes an `Encoder`; `channels` and `factors` are added here.
        decoder: Makes the `Decoder` to the image; `in_channels`, `out_channels` and `factor` are added here.
        fusion: Makes a `Decoder` of factor 1, once per finer scale; the same is added here.
        quantizer: Makes a `Quantizer`, once per scale, or one maker per scale; `channels` is added here.
        seed: Of the initial weights, and of the order of images in this stage. Not the experiment's seed, so that
            many experiments share one autoencoder.
    """

    def __init__(
        self,
        *,
        factors: list[int],
        channels: int,
        feature_channels: int,
        encoder: Callable[..., Encoder],
        decoder: Callable[..., Decoder],
        fusion: Callable[..., Decoder],
        quantizer: Callable[..., Quantizer] | list[Callable[..., Quantizer]],
        seed: int,
    ) -> None:
        super().__init__(factors=factors, channels=channels, seed=seed)
        scales = len(factors)
        if scales > 1 and feature_channels != channels:
            raise FridoError(
                "autoencoder.feature_channels",
                got=f"{feature_channels}, with {scales} scales of {channels} channels",
                wanted="the same as autoencoder.channels, since quantised maps meet the encoder's",
                do=f"autoencoder.feature_channels={channels}",
            )
        makers = quantizer if isinstance(quantizer, list) else [quantizer] * scales
        if len(makers) != scales:
            raise FridoError(
                "autoencoder.quantizer",
                got=f"a list of {len(makers)} for {scales} scales",
                wanted="one quantizer for all scales, or a list with one for each, coarsest first",
                do="give as many as autoencoder.factors has numbers",
            )
        with seeded(seed):
            self.encoder = encoder(channels=feature_channels, factors=factors)
            self.project = nn.ModuleList(nn.Conv2d(feature_channels, channels, 1) for _ in factors)
            self.quantizers = nn.ModuleList(make(channels=channels) for make in makers)
            self.lifts = nn.ModuleList(
                Lift(channels=channels, feature_channels=feature_channels, ratio=coarse // fine)
                for coarse, fine in pairwise(factors)
            )
            self.fusions = nn.ModuleList(
                fusion(in_channels=channels * (scale + 1), out_channels=channels, factor=1)
                for scale in range(1, scales)
            )
            self.mix = nn.Conv2d(channels * scales, feature_channels * scales, 1)
            self.decoder = decoder(in_channels=feature_channels * scales, out_channels=3, factor=factors[-1])
        self.num_codes = tuple(quantizer.num_codes for quantizer in self._quantizers())
        self.num_codebooks = tuple(quantizer.num_codebooks for quantizer in self._quantizers())

    # Images to latents and back

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Reconstruction:
        self.check(images)
        results: list[Quantized] = []

        def learn(quantizer: Quantizer, latent: Tensor) -> Tensor:
            results.append(quantizer(latent))
            return results[-1].latents

        _, quantised = self._walk(images, learn)

        def alone(scale: int) -> Tensor:
            return self._paint(tuple(x if index == scale else torch.zeros_like(x) for index, x in enumerate(quantised)))

        loss = torch.stack([result.loss for result in results]).sum()
        return Reconstruction(self._paint(quantised), loss, tuple(result.codes for result in results), alone)

    def latents(self, images: Float[Tensor, "batch 3 height width"]) -> Pyramid:
        latents, _ = self._walk(images, lambda quantizer, latent: quantizer.quantise(latent))
        return tuple(at_least_float32(latent) for latent in latents)

    def decode(self, pyramid: Pyramid) -> Float[Tensor, "batch 3 height width"]:
        """Return images. A coarse latent may also lie on the finest grid already, as in the stacked layout."""
        first = len(pyramid)
        parts = zip(pyramid, self.scale_factors[:first].unbind(), self._quantizers()[:first], strict=True)
        quantised = tuple(quantizer.quantise(latent / factor) for latent, factor, quantizer in parts)
        return self._paint((*quantised, *self._nothing(quantised[-1], self.factors[first - 1], self.factors[first:])))

    def pyramid_to_codes(self, pyramid: Pyramid) -> Codes:
        parts = zip(self._unscaled(pyramid), self._quantizers(), strict=True)
        return tuple(quantizer.latents_to_codes(latent) for latent, quantizer in parts)

    def codes_to_pyramid(self, codes: Codes) -> Pyramid:
        parts = zip(codes, self._quantizers(), self.scale_factors.unbind(), strict=True)
        return tuple(quantizer.codes_to_latents(indices) * factor for indices, quantizer, factor in parts)

    @property
    def last_layer(self) -> nn.Parameter:
        return self.decoder.last_layer

    # Parts of the way

    def _walk(self, images: Tensor, quantise: Callable[[Quantizer, Tensor], Tensor]) -> tuple[Pyramid, Pyramid]:
        """Return the continuous latents of all scales, and what `quantise` made of them on the way."""
        latents: list[Tensor] = []
        quantised: list[Tensor] = []
        carried: list[Tensor] = []
        for scale, (features, quantizer) in enumerate(zip(self.encoder(images), self._quantizers(), strict=True)):
            if scale > 0:
                # A map from far above passes every lift on its way down.
                carried = [self.lifts[scale - 1](coarser) for coarser in [*carried, quantised[-1]]]
                features = self.fusions[scale - 1](torch.cat([*carried, features], dim=1))
            latents.append(quantizer.bound(self.project[scale](features)))
            quantised.append(quantise(quantizer, latents[-1]))
        return tuple(latents), tuple(quantised)

    def _nothing(self, coarse: Tensor, factor: int, finer: Sequence[int]) -> Pyramid:
        """Return zeros for the scales of factors `finer`; `coarse` is quantised, of a scale of `factor`."""
        batch, channels, height, width = coarse.shape
        sizes = [(height * factor // fine, width * factor // fine) for fine in finer]
        return tuple(coarse.new_zeros(batch, channels, *size) for size in sizes)

    def _paint(self, quantised: Pyramid) -> Tensor:
        height, width = quantised[-1].shape[-2:]
        joined = torch.cat([nearest(latent, (height, width)) for latent in quantised], dim=1)
        return at_least_float32(self.decoder(self.mix(joined)))

    def _unscaled(self, pyramid: Pyramid) -> Pyramid:
        return tuple(latent / factor for latent, factor in zip(pyramid, self.scale_factors.unbind(), strict=True))

    def _quantizers(self) -> list[Quantizer]:
        return list(self.quantizers)  # type: ignore[arg-type]
