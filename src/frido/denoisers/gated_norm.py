"""Group normalisation that coarser scales may modulate."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from frido.denoisers.gates.base import Gate


class GatedNorm(nn.Module):
    """`GroupNorm(x) * (1 + scale) + shift`, or the plain (affine) norm where there is no modulation.

    Args:
        channels: Of the input.
        groups: At most so many groups; where it does not divide `channels`, their greatest common divisor.
        epsilon: Added to the variance.
        gate: Makes the modulation.
        factor: The input's grid is the latent's grid over this.
    """

    def __init__(self, *, channels: int, groups: int, epsilon: float, gate: Gate, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.norm = nn.GroupNorm(math.gcd(groups, channels), channels, eps=epsilon)
        self.gate = gate

    def forward(
        self, hidden: Float[Tensor, "batch channels height width"], modulation: tuple[Tensor, Tensor] | None
    ) -> Float[Tensor, "batch channels height width"]:
        normed = self.norm(hidden)
        if modulation is None:
            return normed
        scale, shift = modulation
        return normed * (1 + scale.to(normed.dtype)) + shift.to(normed.dtype)
