"""What the rest of the house knows of an autoencoder."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from frido.autoencoders.calibration import Spread
from frido.contracts.errors import FridoError
from frido.contracts.pyramid import Pyramid

Codes = tuple[Int[Tensor, "batch _codebooks _height _width"], ...]
"""Indices into the codebooks, one map per scale, coarsest first; a scale without codebooks has none of them."""


class Reconstruction(NamedTuple):
    """What training looks at."""

    images: Float[Tensor, "batch 3 height width"]
    latent_loss: Float[Tensor, ""]
    """What keeps the latents in order: the codebook losses of all scales, or a KL divergence; zero without either."""
    codes: Codes
    alone: Callable[[int], Float[Tensor, "batch 3 height width"]]
    """Decodes one scale with the latents of all others zeroed; computed when called."""


class Autoencoder(nn.Module, ABC):
    """Images to a latent pyramid and back. Everything per scale is listed coarsest first.

    `channels[s]` latent channels lie on a grid `factors[s]` times smaller than the image; a scale has
    `num_codebooks[s]` codebooks of `num_codes[s]` codes each (0 of 0 without). `scale_factors` bring the latents of
    every scale to unit variance once they are `calibrated`, here or where the weights come from; both are buffers.

    Args:
        factors: Coarsest first, each a multiple of the next.
        channels: Latent channels of every scale.
        seed: Of the initial weights.
    """

    num_codes: tuple[int, ...]
    num_codebooks: tuple[int, ...]
    scale_factors: Float[Tensor, "scales"]
    calibrated: Bool[Tensor, ""]

    def __init__(self, *, factors: Sequence[int], channels: int, seed: int) -> None:
        super().__init__()
        if not factors or factors[-1] < 1 or any(coarse <= fine or coarse % fine for coarse, fine in pairwise(factors)):
            raise FridoError(
                "autoencoder.factors",
                got=list(factors),
                wanted="how many times smaller than the image each latent map is, coarsest first, "
                "each a multiple of the next",
                do="autoencoder.factors=[16,8]",
            )
        self.seed = seed
        self.factors = tuple(factors)
        self.channels = (channels,) * len(factors)
        self.register_buffer("scale_factors", torch.ones(len(factors)))
        self.register_buffer("calibrated", torch.tensor(False))

    @abstractmethod
    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Reconstruction:
        """Encode, quantise and decode; in training mode codebooks may learn from the images."""

    @abstractmethod
    def latents(self, images: Float[Tensor, "batch 3 height width"]) -> Pyramid:
        """Return continuous latents (before quantisation) as the networks make them, each on its own grid."""

    @abstractmethod
    def decode(self, pyramid: Pyramid) -> Float[Tensor, "batch 3 height width"]:
        """Return the images of a pyramid that is scaled as `encode` scales it; quantises where there are codebooks.

        Of its first scales alone: what they draw with nothing (zeros, after the codebooks) in the finer ones' place.
        """

    @property
    @abstractmethod
    def last_layer(self) -> nn.Parameter:
        """The weight that produces the image, by whose gradient a GAN loss is balanced."""

    def pyramid_to_codes(self, pyramid: Pyramid) -> Codes:
        """Return the indices that `decode` would quantise a pyramid to; none of them without codebooks."""
        return tuple(latent.new_zeros((len(latent), 0, *latent.shape[2:]), dtype=torch.int64) for latent in pyramid)

    def codes_to_pyramid(self, codes: Codes) -> Pyramid:
        """Return the code vectors at some indices, scaled as `encode` scales latents.

        Raises:
            FridoError: There is no codebook.
        """
        raise FridoError(
            "codes to latents",
            got=f"{type(self).__name__}, which has no codebook",
            wanted="an autoencoder with codebooks at every scale",
            do="autoencoder=msvqgan",
        )

    def encode(self, images: Float[Tensor, "batch 3 height width"]) -> Pyramid:
        """Return `latents` times `scale_factors`.

        Raises:
            FridoError: The sides of `images` are no multiples of the coarsest factor.
        """
        self.check(images)
        factors = self.scale_factors.unbind()
        return tuple(latent * factor for latent, factor in zip(self.latents(images), factors, strict=True))

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Float[Tensor, "batch 3 height width"]]) -> None:
        """Set `scale_factors` to one over the standard deviation of each scale, over all images of one pass.

        Raises:
            FridoError: The latents of a scale are all equal.
        """
        spread = Spread(len(self.channels))
        with _evaluating(self):
            for images in batches:
                self.check(images)
                spread.update(self.latents(images))
        deviations = spread.standard_deviations(self.scale_factors.device)
        if not bool((deviations > 0).all()):
            raise FridoError(
                "calibration of the autoencoder",
                got=f"latents with standard deviations {deviations.tolist()}",
                wanted="latents that differ, at every scale",
                do="give it images, and an autoencoder that is trained",
            )
        self.scale_factors.copy_(1 / deviations)
        self.calibrated.fill_(True)

    def check(self, images: Float[Tensor, "batch 3 height width"]) -> None:
        """Refuse images whose sides are no multiples of the coarsest factor."""
        height, width = images.shape[-2:]
        if height % self.factors[0] or width % self.factors[0]:
            raise FridoError(
                "size of the images for the autoencoder",
                got=f"{height} x {width} pixels",
                wanted=f"sides that are multiples of {self.factors[0]}, the factor of the coarsest scale",
                do="choose another size.resolution, or smaller autoencoder.factors",
            )


def at_least_float32(tensor: Tensor) -> Tensor:
    """Return `tensor` as float32, or as it is where that is more."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
