"""What the rest of the house knows of an autoencoder."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.contracts.pyramid import Pyramid


class Reconstruction(NamedTuple):
    """What training looks at. Without a codebook, `codes` is empty and `codebook_loss` zero."""

    images: Float[Tensor, "batch 3 height width"]
    codebook_loss: Float[Tensor, ""]
    codes: tuple[Int[Tensor, "batch _height _width"], ...]
    """Indices into the codebooks, one map per scale, coarsest first."""


class Autoencoder(nn.Module, ABC):
    """Images to a latent pyramid and back. Everything per scale is listed coarsest first.

    `channels[s]` latent channels lie on a grid `factors[s]` times smaller than the image. `scale_factors` (a buffer,
    ones until `calibrate`) bring the latents of every scale to unit variance. `num_codes` are the sizes of the
    codebooks, none without. `seed` made the initial weights.
    """

    seed: int
    channels: tuple[int, ...]
    factors: tuple[int, ...]
    num_codes: tuple[int, ...]
    scale_factors: Float[Tensor, "scales"]

    @abstractmethod
    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Reconstruction:
        """Encode, quantise and decode; in training mode codebooks may learn from the images."""

    @abstractmethod
    def encode(self, images: Float[Tensor, "batch 3 height width"]) -> Pyramid:
        """Return continuous latents (before quantisation) times `scale_factors`, each on its own grid.

        Raises:
            FridoError: The sides of `images` are no multiples of the coarsest factor.
        """

    @abstractmethod
    def decode(self, pyramid: Pyramid) -> Float[Tensor, "batch 3 height width"]:
        """Return the images of a pyramid that is scaled as `encode` scales it; quantises where there are codebooks."""

    @abstractmethod
    def calibrate(self, batches: Iterable[Float[Tensor, "batch 3 height width"]]) -> None:
        """Set `scale_factors` to one over the standard deviation of each scale, over all images of one pass."""

    @property
    @abstractmethod
    def last_layer(self) -> nn.Parameter:
        """The weight that produces the image, by whose gradient a GAN loss is balanced."""
