"""A codebook of running means (van den Oord et al., 2017, appendix A.1), whose dead codes start again."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from frido.autoencoders import ranks
from frido.autoencoders.base import at_least_float32
from frido.autoencoders.quantizers.base import Quantized, Quantizer
from frido.autoencoders.quantizers.nearest import look_up, nearest_code, rows, straight_through

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
KEEP_BELOW = 1e-5
"""A code with less running use than this keeps its place: its mean would be rounding noise."""


class EMAVectorQuantizer(Quantizer):
    """Every code is the running mean of the latents nearest to it; only latents feel a loss (the commitment).

    The first training batch places the codes on its own latents, and a code that no latent of `revive_after`
    images chose moves to a latent of the batch at hand. Which latents is a function of their place in the global
    batch, never of a random generator. Statistics are summed over ranks, so replicas stay equal.

    Args:
        channels: Width of a code; added by the autoencoder.
        num_codes: Size of the codebook.
        commitment: Weight of the latents' pull to their codes.
        decay: Of the running means, per forward pass in training (a micro-batch on every rank).
        revive_after: Images without a single use after which a code counts as dead.
    """

    codebook: Tensor
    counts: Tensor
    sums: Tensor
    idle: Tensor
    images_seen: Tensor

    def __init__(self, *, channels: int, num_codes: int, commitment: float, decay: float, revive_after: int) -> None:
        super().__init__()
        self.channels, self.num_codes, self.commitment = channels, num_codes, commitment
        self.decay, self.revive_after = decay, revive_after
        codebook = torch.empty(num_codes, channels).uniform_(-1 / num_codes, 1 / num_codes)
        self.register_buffer("codebook", codebook)
        self.register_buffer("counts", torch.ones(num_codes))
        self.register_buffer("sums", codebook.clone())
        self.register_buffer("idle", torch.zeros(num_codes, dtype=torch.int64))
        """Images seen since a code was last used."""
        self.register_buffer("images_seen", torch.zeros((), dtype=torch.int64))

    def forward(self, latents: Float[Tensor, "batch channels height width"]) -> Quantized:
        with torch.autocast(latents.device.type, enabled=False):
            latents = at_least_float32(latents)
            if self.training and not int(self.images_seen):
                self._place(torch.ones(self.num_codes, dtype=torch.bool, device=latents.device), latents)
            codes = self.latents_to_codes(latents)
            quantised = look_up(codes, self.codebook).to(latents.dtype)
            loss = self.commitment * F.mse_loss(latents, quantised)
            quantised = straight_through(quantised, latents)
            if self.training:
                self._learn(latents, codes)
            return Quantized(quantised, codes, loss)

    def latents_to_codes(
        self, latents: Float[Tensor, "batch channels height width"]
    ) -> Int[Tensor, "batch 1 height width"]:
        return nearest_code(latents, self.codebook)

    def codes_to_latents(
        self, codes: Int[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        return look_up(codes, self.codebook)

    @torch.no_grad()
    def _learn(self, latents: Tensor, codes: Tensor) -> None:
        """Move the running means by one batch, then revive what has been idle for too long."""
        vectors, chosen = rows(latents).to(self.sums.dtype), codes.flatten()
        use = torch.zeros_like(self.sums[:, 0]).index_add_(0, chosen, torch.ones_like(vectors[:, 0]))
        total = torch.zeros_like(self.sums).index_add_(0, chosen, vectors)
        both = ranks.total(torch.cat([use[:, None], total], dim=1))
        use, total = both[:, 0], both[:, 1:]
        images = len(latents) * ranks.world_size()

        self.counts.lerp_(use, 1 - self.decay)
        self.sums.lerp_(total, 1 - self.decay)
        means = self.sums / self.counts.clamp_min(KEEP_BELOW)[:, None]
        self.codebook.copy_(torch.where(self.counts[:, None] > KEEP_BELOW, means, self.codebook))

        self.images_seen.add_(images)
        self.idle.add_(images).masked_fill_(use > 0, 0)
        dead = self.idle >= self.revive_after
        if bool(dead.any()):
            self._place(dead, latents)

    @torch.no_grad()
    def _place(self, where: Tensor, latents: Tensor) -> None:
        """Put the codes `where` on latents of the global batch, spread over it by multiples of the golden ratio."""
        vectors = ranks.gathered(rows(latents).to(self.sums.dtype))
        steps = torch.arange(1, int(where.sum()) + 1, dtype=torch.float64) * GOLDEN_RATIO
        picked = vectors[(steps.frac() * len(vectors)).long().to(vectors.device)]
        self.codebook[where] = picked
        self.sums[where] = picked
        self.counts[where] = 1.0
        self.idle[where] = 0
