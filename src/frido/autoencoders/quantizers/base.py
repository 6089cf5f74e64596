"""Vectors to a finite set of vectors, and back."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn


class Quantized(NamedTuple):
    """`latents` are code vectors; in evaluation their gradient is that of what was quantised (straight-through)."""

    latents: Float[Tensor, "batch channels height width"]
    codes: Int[Tensor, "batch codebooks height width"]
    loss: Float[Tensor, ""]


class Quantizer(nn.Module, ABC):
    """A finite set of vectors, each named by `num_codebooks` indices below `num_codes`; both 0: nothing is quantised.

    Built by partial: the autoencoder adds `channels`, once per scale.
    """

    channels: int
    num_codes: int
    num_codebooks: int = 1

    @property
    def gain(self) -> float | Float[Tensor, "channels 1 1"]:
        """How much smaller the error is than what was quantised, where that is fixed; 1 where codes are learned."""
        return 1.0

    def bound(
        self, features: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the latents to quantise, which diffusion sees; a quantizer of limited range brings them into it."""
        return features

    @abstractmethod
    def forward(self, latents: Float[Tensor, "batch channels height width"]) -> Quantized:
        """Quantise with a loss and a gradient. In training mode codes may learn from the batch, or be drawn at random.

        Works in float32 at least, also under autocast.
        """

    @abstractmethod
    def latents_to_codes(
        self, latents: Float[Tensor, "batch channels height width"]
    ) -> Int[Tensor, "batch codebooks height width"]:
        """Return the indices that name the quantised vector at every position; changes nothing."""

    @abstractmethod
    def codes_to_latents(
        self, codes: Int[Tensor, "batch codebooks height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the vectors that the indices name at every position."""

    def quantise(
        self, latents: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the quantised map; changes nothing. With one codebook, a quantised map quantises to itself."""
        return self.codes_to_latents(self.latents_to_codes(latents))
