"""Finite scalar quantisation (Mentzer et al., 2024): every channel is rounded on its own, and nothing is learned."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frido.autoencoders.base import at_least_float32
from frido.autoencoders.quantizers.base import Quantized, Quantizer
from frido.autoencoders.quantizers.nearest import straight_through
from frido.contracts.errors import FridoError


class FSQ(Quantizer):
    """Channel i takes the nearest of `levels[i]` values, evenly spaced over [-1, 1], both ends among them.

    `bound` is tanh; latents from elsewhere are clamped to [-1, 1]. The grid is the same on both sides of zero for
    every number of levels. (The published one, for an even number, is shifted by half a step to hold zero, and does
    not reach 1.) The code is the mixed-radix number of the level indices, the first channel counting fastest, as in
    the paper. The loss is zero.

    Args:
        channels: Of the latents; added by the autoencoder.
        levels: Number of values of each channel.

    Raises:
        FridoError: `levels` are not one per channel, or less than two.
    """

    steps: Tensor
    radix: Tensor

    def __init__(self, *, channels: int, levels: list[int]) -> None:
        super().__init__()
        if len(levels) != channels or min(levels) < 2:
            raise FridoError(
                "levels of the quantizer FSQ",
                got=f"{levels} for {channels} latent channels",
                wanted=f"a list of {channels} numbers, each at least 2",
                do=f"autoencoder.quantizer.levels={[8, *[4] * (channels - 1)]}, "
                f"or autoencoder.channels={max(len(levels), 1)}",
            )
        self.channels, self.num_codes = channels, math.prod(levels)
        radix = [math.prod(levels[:channel]) for channel in range(channels)]
        self.register_buffer("steps", torch.tensor(levels).view(-1, 1, 1) - 1.0, persistent=False)
        """Between the ends, per channel."""
        self.register_buffer("radix", torch.tensor(radix).view(-1, 1, 1), persistent=False)

    @property
    def gain(self) -> Float[Tensor, "channels 1 1"]:
        return self.steps

    def bound(
        self, features: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        return at_least_float32(features).tanh()

    def forward(self, latents: Float[Tensor, "batch channels height width"]) -> Quantized:
        latents = at_least_float32(latents)
        codes = self.latents_to_codes(latents)
        quantised = self.codes_to_latents(codes).to(latents.dtype)
        return Quantized(straight_through(quantised, latents), codes, latents.new_zeros(()))

    def latents_to_codes(
        self, latents: Float[Tensor, "batch channels height width"]
    ) -> Int[Tensor, "batch 1 height width"]:
        with torch.no_grad():
            indices = ((at_least_float32(latents).clamp(-1, 1) + 1) * self.steps / 2).round().long()
            return (indices * self.radix).sum(dim=1, keepdim=True)

    def codes_to_latents(
        self, codes: Int[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        indices = codes // self.radix % (self.steps.long() + 1)
        return (2 * indices - self.steps) / self.steps
