"""Group normalisation that coarser scales may modulate."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from frido.denoisers.gates.base import GateSite


class GatedNorm(nn.Module):
    """An affine group norm, and a gate behind it where a modulation is given.

    Args:
        channels: Of the input.
        groups: At most so many groups; where it does not divide `channels`, their greatest common divisor.
        epsilon: Added to the variance.
        gate: Applies the modulation; `None` for a norm that stays plain.
        factor: The input's grid is the latent's grid over this.
    """

    def __init__(self, *, channels: int, groups: int, epsilon: float, gate: GateSite | None, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.norm = nn.GroupNorm(math.gcd(groups, channels), channels, eps=epsilon)
        self.gate = gate

    def forward(
        self,
        hidden: Float[Tensor, "batch channels height width"],
        modulation: tuple[Tensor, ...],
        embedding: Float[Tensor, "batch embedding_width"],
    ) -> Float[Tensor, "batch channels height width"]:
        normed = self.norm(hidden)
        if not modulation:
            return normed
        assert self.gate is not None, "a modulation for a norm without a gate"
        return self.gate(normed, modulation, embedding)
