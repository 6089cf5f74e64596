"""MS-VQGAN, the multi-scale vector-quantised autoencoder of Frido (Fan et al., 2023, section 3.1)."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.base import Autoencoder, Reconstruction
from frido.autoencoders.calibration import Spread
from frido.autoencoders.decoders.base import Decoder
from frido.autoencoders.encoders.base import Encoder
from frido.autoencoders.quantizers.base import Quantized, Quantizer
from frido.contracts.errors import FridoError
from frido.contracts.pyramid import Pyramid
from frido.nn.resample import nearest
from frido.nn.seeded import seeded


class Lift(nn.Module):
    """Bring a quantised map to the next finer grid: a transposed convolution, then a 1x1 convolution."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(
        self, quantised: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels twice_height twice_width"]:
        return self.mix(self.upsample(quantised))


class MSVQGAN(Autoencoder):
    """A codebook per scale; every finer scale is coded knowing the quantised coarser ones.

    The coarsest map is quantised as it is. At each finer scale the quantised coarser maps, lifted to its grid, are
    joined with the encoder's map and fused by a small network before quantisation. The image is decoded from all
    quantised maps, nearest-upsampled to the finest grid, coarsest channels first.

    Args:
        num_scales: Latent maps, each on a grid twice as fine as the one before.
        channels: Latent channels of every scale.
        encoder: Makes an `Encoder`; `channels` and `num_scales` are added here.
        decoder: Makes the `Decoder` to the image; `in_channels` and `out_channels` are added here.
        fusion: Makes a `Decoder` of factor 1, once per finer scale; `in_channels` and `out_channels` are added here.
        quantizer: Makes a `Quantizer`, once per scale; `channels` is added here.
        seed: Of the initial weights, and of the order of images in this stage. Not the experiment's seed, so that
            many experiments share one autoencoder.
    """

    def __init__(
        self,
        *,
        num_scales: int,
        channels: int,
        encoder: Callable[..., Encoder],
        decoder: Callable[..., Decoder],
        fusion: Callable[..., Decoder],
        quantizer: Callable[..., Quantizer],
        seed: int,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.channels = (channels,) * num_scales
        with seeded(seed):
            self.encoder = encoder(channels=channels, num_scales=num_scales)
            self.project = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(num_scales))
            self.quantizers = nn.ModuleList(quantizer(channels=channels) for _ in range(num_scales))
            self.lifts = nn.ModuleList(Lift(channels=channels) for _ in range(num_scales - 1))
            self.fusions = nn.ModuleList(
                fusion(in_channels=channels * (scale + 1), out_channels=channels) for scale in range(1, num_scales)
            )
            self.mix = nn.Conv2d(channels * num_scales, channels * num_scales, 1)
            self.decoder = decoder(in_channels=channels * num_scales, out_channels=3)
        self.factors = self.encoder.factors
        self.num_codes = tuple(quantizer.num_codes for quantizer in self._quantizers())
        self.register_buffer("scale_factors", torch.ones(num_scales))
        if self.decoder.factor != self.factors[-1]:
            raise FridoError(
                "autoencoder.decoder",
                got=f"a decoder that enlarges {self.decoder.factor} times, latents {self.factors[-1]} times smaller",
                wanted="the same factor at both ends",
                do="choose autoencoder/encoder and autoencoder/decoder of one factor",
            )

    # Images to latents and back

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Reconstruction:
        results: list[Quantized] = []

        def learn(quantizer: Quantizer, latent: Tensor) -> Tensor:
            results.append(quantizer(latent))
            return results[-1].latents

        _, quantised = self._walk(images, learn)
        loss = torch.stack([result.loss for result in results]).sum()
        return Reconstruction(self._paint(quantised), loss, tuple(result.codes for result in results))

    def encode(self, images: Float[Tensor, "batch 3 height width"]) -> Pyramid:
        factors = self.scale_factors.unbind()
        return tuple(latent * factor for latent, factor in zip(self._latents(images), factors, strict=True))

    def decode(self, pyramid: Pyramid) -> Float[Tensor, "batch 3 height width"]:
        """Return images. A coarse latent may also lie on the finest grid already, as in the stacked layout."""
        parts = zip(pyramid, self.scale_factors.unbind(), self._quantizers(), strict=True)
        return self._paint(tuple(quantizer.quantise(latent / factor) for latent, factor, quantizer in parts))

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Float[Tensor, "batch 3 height width"]]) -> None:
        spread = Spread(len(self.channels))
        with _evaluating(self):
            for images in batches:
                spread.update(self._latents(images))
        deviations = spread.standard_deviations(self.scale_factors.device)
        if not bool((deviations > 0).all()):
            raise FridoError(
                "calibration of the autoencoder",
                got=f"latents with standard deviations {deviations.tolist()}",
                wanted="latents that differ, at every scale",
                do="give it images, and an autoencoder that is trained",
            )
        self.scale_factors.copy_(1 / deviations)

    @property
    def last_layer(self) -> nn.Parameter:
        return self.decoder.last_layer

    # Parts of the way

    def _walk(self, images: Tensor, quantise: Callable[[Quantizer, Tensor], Tensor]) -> tuple[Pyramid, Pyramid]:
        """Return the continuous latents of all scales, and what `quantise` made of them on the way."""
        self._check(images)
        latents: list[Tensor] = []
        quantised: list[Tensor] = []
        carried: list[Tensor] = []
        for scale, (features, quantizer) in enumerate(zip(self.encoder(images), self._quantizers(), strict=True)):
            if scale > 0:
                # A map from far above passes every lift on its way down.
                carried = [self.lifts[scale - 1](coarser) for coarser in [*carried, quantised[-1]]]
                features = self.fusions[scale - 1](torch.cat([*carried, features], dim=1))
            latents.append(self.project[scale](features))
            quantised.append(quantise(quantizer, latents[-1]))
        return tuple(latents), tuple(quantised)

    def _latents(self, images: Tensor) -> Pyramid:
        latents, _ = self._walk(images, lambda quantizer, latent: quantizer.quantise(latent))
        return tuple(_at_least_float32(latent) for latent in latents)

    def _paint(self, quantised: Pyramid) -> Tensor:
        height, width = quantised[-1].shape[-2:]
        joined = torch.cat([nearest(latent, (height, width)) for latent in quantised], dim=1)
        return _at_least_float32(self.decoder(self.mix(joined)))

    def _quantizers(self) -> list[Quantizer]:
        return list(self.quantizers)  # type: ignore[arg-type]

    def _check(self, images: Tensor) -> None:
        height, width = images.shape[-2:]
        if height % self.factors[0] or width % self.factors[0]:
            raise FridoError(
                "size of the images for the autoencoder",
                got=f"{height} x {width} pixels",
                wanted=f"sides that are multiples of {self.factors[0]}, the factor of the coarsest scale",
                do="choose another size.resolution, or fewer autoencoder.num_scales",
            )


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
