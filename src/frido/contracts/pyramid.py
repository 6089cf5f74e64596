"""The latent pyramid."""

from torch import Tensor

Pyramid = tuple[Tensor, ...]
"""Latents `(batch, channels, height, width)`, one per scale. Index 0 is the coarsest, always; unit variance."""
