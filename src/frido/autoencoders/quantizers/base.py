"""Vectors to the nearest of a list of vectors."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn


class Quantized(NamedTuple):
    """`latents` are code vectors with the gradient of what was quantised (straight-through)."""

    latents: Float[Tensor, "batch channels height width"]
    codes: Int[Tensor, "batch height width"]
    loss: Float[Tensor, ""]


class Quantizer(nn.Module, ABC):
    """A codebook. Quantising is idempotent: a quantised map quantises to itself.

    Built by partial: the autoencoder adds `channels`, once per scale.
    """

    channels: int
    num_codes: int

    @abstractmethod
    def forward(self, latents: Float[Tensor, "batch channels height width"]) -> Quantized:
        """Quantise for training: with a loss, a straight-through gradient, and codes that learn in training mode.

        Works in float32 at least, also under autocast.
        """

    @abstractmethod
    def latents_to_codes(
        self, latents: Float[Tensor, "batch channels height width"]
    ) -> Int[Tensor, "batch height width"]:
        """Return the index of the nearest code at every position; changes nothing."""

    @abstractmethod
    def codes_to_latents(
        self, codes: Int[Tensor, "batch height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the code vectors at every position."""

    def quantise(
        self, latents: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the nearest code vectors; changes nothing."""
        return self.codes_to_latents(self.latents_to_codes(latents))
