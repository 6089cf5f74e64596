"""Codes drawn at random while training, the nearer the likelier; the nearest code afterwards."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from frido.autoencoders import ranks
from frido.autoencoders.base import at_least_float32
from frido.autoencoders.quantizers.base import Quantized, Quantizer
from frido.autoencoders.quantizers.nearest import look_up, nearest_code, relative_distances, rows, straight_through


class GumbelQuantizer(Quantizer):
    """Draws code e for the latent z with probability ~ exp(-|z - e|^2 / 2 width^2), where the width is learned.

    So the likeliest code is the nearest one, and a quantised map quantises to itself (cf. SQ-VAE, Takida et al.,
    2022). The Gumbel quantizers of DALL-E and VQGAN have logits from a projection instead, which promises neither.

    Training draws by the straight-through Gumbel-softmax (Jang et al., 2017), from torch's generator: the value is the
    code drawn, the gradient that of the softmax at a temperature. Evaluation takes the nearest code, with the
    gradient straight through. The logits of all codes at all positions are held in memory.

    The loss is `kl_weight * KL(probabilities || uniform) + commitment * E|z - e|^2 / channels`, a mean over positions.

    Args:
        channels: Width of a code; added by the autoencoder.
        num_codes: Size of the codebook.
        width: Standard deviation in every channel around a latent, at the start.
        commitment: Weight of the expected squared distance, which pulls latents and codes together.
        kl_weight: Weight of the pull of the probabilities to equal ones.
        start_temperature: Of the softmax, at the first image.
        end_temperature: Approached exponentially, kept from `anneal_images` on.
        anneal_images: Images seen when it is reached.
    """

    images_seen: Tensor

    def __init__(
        self,
        *,
        channels: int,
        num_codes: int,
        width: float,
        commitment: float,
        kl_weight: float,
        start_temperature: float,
        end_temperature: float,
        anneal_images: int,
    ) -> None:
        super().__init__()
        self.channels, self.num_codes = channels, num_codes
        self.commitment, self.kl_weight = commitment, kl_weight
        self.start_temperature, self.end_temperature = start_temperature, end_temperature
        self.anneal_images = anneal_images
        self.codebook = nn.Parameter(torch.randn(num_codes, channels))
        self.log_width = nn.Parameter(torch.tensor(math.log(width)))
        self.register_buffer("images_seen", torch.zeros((), dtype=torch.int64))

    def temperature(self) -> Float[Tensor, ""]:
        """Return the temperature of the next training batch."""
        progress = (self.images_seen / max(self.anneal_images, 1)).clamp_max(1)
        return self.start_temperature * (self.end_temperature / self.start_temperature) ** progress

    def forward(self, latents: Float[Tensor, "batch channels height width"]) -> Quantized:
        with torch.autocast(latents.device.type, enabled=False):
            latents = at_least_float32(latents)
            vectors = rows(latents)
            distances = relative_distances(vectors, self.codebook)
            log_p = (distances * (-0.5 * torch.exp(-2 * self.log_width))).log_softmax(dim=1)
            loss = self._loss(vectors, distances, log_p)
            if self.training:
                quantised, codes = self._draw(latents, log_p)
                self.images_seen.add_(len(latents) * ranks.world_size())
            else:
                codes = self.latents_to_codes(latents)
                quantised = straight_through(look_up(codes, self.codebook), latents)
            return Quantized(quantised, codes, loss)

    def latents_to_codes(
        self, latents: Float[Tensor, "batch channels height width"]
    ) -> Int[Tensor, "batch 1 height width"]:
        return nearest_code(latents, self.codebook)

    def codes_to_latents(
        self, codes: Int[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        return look_up(codes, self.codebook)

    def _loss(self, vectors: Tensor, distances: Tensor, log_p: Tensor) -> Tensor:
        p = log_p.exp()
        divergence = (p * log_p).sum(dim=1) + math.log(self.num_codes)
        squared = (p * distances).sum(dim=1) + vectors.square().sum(dim=1)
        return self.kl_weight * divergence.mean() + self.commitment * squared.mean() / self.channels

    def _draw(self, latents: Tensor, log_p: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes drawn as a map, and their indices."""
        batch, channels, height, width = latents.shape
        exponential = torch.empty_like(log_p).exponential_().clamp_min(torch.finfo(log_p.dtype).tiny)  # log(0)
        noisy = log_p - exponential.log()
        codes = noisy.argmax(dim=1).view(batch, 1, height, width)
        soft = (noisy / self.temperature()).softmax(dim=1)
        # The bracket is exactly zero: the value is the code itself, in any precision of matrix products.
        gradient = (soft - soft.detach()) @ self.codebook.detach()
        gradient = gradient.view(batch, height, width, channels).permute(0, 3, 1, 2)
        return look_up(codes, self.codebook) + gradient, codes
