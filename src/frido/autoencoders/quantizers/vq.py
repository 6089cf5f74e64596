"""A codebook learned by gradient (van den Oord et al., 2017)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders.base import at_least_float32
from frido.autoencoders.quantizers.base import Quantized, Quantizer
from frido.autoencoders.quantizers.nearest import look_up, nearest_code, straight_through


class VectorQuantizer(Quantizer):
    """Euclidean nearest neighbour; the loss pulls codes to latents and latents to codes.

    Args:
        channels: Width of a code; added by the autoencoder.
        num_codes: Size of the codebook.
        commitment: Weight beta of the lighter of the two pulls.
        legacy: Where beta stands. True, as in the released VQGAN code and weights: on the pull of the *codes*.
            False, as in the paper: on the pull of the latents (the commitment).
    """

    def __init__(self, *, channels: int, num_codes: int, commitment: float, legacy: bool) -> None:
        super().__init__()
        self.channels, self.num_codes, self.commitment, self.legacy = channels, num_codes, commitment, legacy
        self.codebook = nn.Parameter(torch.empty(num_codes, channels).uniform_(-1 / num_codes, 1 / num_codes))

    def forward(self, latents: Float[Tensor, "batch channels height width"]) -> Quantized:
        codes = self.latents_to_codes(latents)
        with torch.autocast(latents.device.type, enabled=False):
            latents = at_least_float32(latents)
            quantised = look_up(codes, self.codebook)
            pull_latents = F.mse_loss(latents, quantised.detach())
            pull_codes = F.mse_loss(quantised, latents.detach())
            loss = (
                pull_latents + self.commitment * pull_codes
                if self.legacy
                else pull_codes + self.commitment * pull_latents
            )
            return Quantized(straight_through(quantised, latents), codes, loss)

    def latents_to_codes(
        self, latents: Float[Tensor, "batch channels height width"]
    ) -> Int[Tensor, "batch 1 height width"]:
        return nearest_code(latents, self.codebook)

    def codes_to_latents(
        self, codes: Int[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        return look_up(codes, self.codebook)
