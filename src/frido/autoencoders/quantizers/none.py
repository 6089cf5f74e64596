"""No codebook."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frido.autoencoders.base import at_least_float32
from frido.autoencoders.quantizers.base import Quantized, Quantizer
from frido.contracts.errors import FridoError


class NoQuantizer(Quantizer):
    """Everything stays as it is: a plain autoencoder, with nothing that keeps its latents in order.

    Args:
        channels: Of the latents; added by the autoencoder.
    """

    num_codes = 0
    num_codebooks = 0

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, latents: Float[Tensor, "batch channels height width"]) -> Quantized:
        latents = at_least_float32(latents)
        return Quantized(latents, self.latents_to_codes(latents), latents.new_zeros(()))

    def latents_to_codes(
        self, latents: Float[Tensor, "batch channels height width"]
    ) -> Int[Tensor, "batch 0 height width"]:
        return latents[:, :0].to(torch.int64)

    def codes_to_latents(
        self, codes: Int[Tensor, "batch codebooks height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        raise FridoError(
            "latents of given codes",
            got="an autoencoder without codebooks (autoencoder/quantizer=none)",
            wanted="indices into a codebook",
            do="choose another option of autoencoder/quantizer",
        )

    def quantise(
        self, latents: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        return latents
