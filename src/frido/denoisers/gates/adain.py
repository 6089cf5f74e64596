"""Modulation by the coarser scales, then by stage and time."""

from jaxtyping import Float
from torch import Tensor, nn

from frido.denoisers.gates.base import Gate, GateSite, ScaleShiftSite, modulated, scaled


class AdainSite(ScaleShiftSite):
    """Scale and shift per cell, convolutions of the coarse features; then scale and shift by stage and time.

    The normalisation of AdaIN is the group norm before the gate, as in ADM.
    """

    def __init__(self, *, channels: int, coarse_channels: int, embedding_width: int, init: float) -> None:
        super().__init__()
        self.scale = nn.Conv2d(coarse_channels, channels, 3, padding=1)
        self.shift = nn.Conv2d(coarse_channels, channels, 3, padding=1)
        self.style = nn.Linear(embedding_width, 2 * channels)
        for layer in (self.scale, self.shift, self.style):
            scaled(layer, init)

    def prepare(self, coarse: Float[Tensor, "batch coarse_channels height width"]) -> tuple[Tensor, ...]:
        return self.scale(coarse), self.shift(coarse)

    def forward(
        self,
        normed: Float[Tensor, "batch channels height width"],
        prepared: tuple[Tensor, ...],
        embedding: Float[Tensor, "batch embedding_width"],
    ) -> Float[Tensor, "batch channels height width"]:
        styles = self.style(embedding)[:, :, None, None].chunk(2, dim=1)
        return modulated(super().forward(normed, prepared, embedding), *styles)


class AdainGate(Gate):
    """The coarse-to-fine gating that Frido's paper describes; the official code has `spade`.

    Args:
        init: Factor on the initial weights of all its layers: 1 as PyTorch starts them, 0 starts as the identity.
    """

    enters = "norms"

    def __init__(self, *, init: float) -> None:
        self.init = init

    def site(self, *, channels: int, coarse_channels: int, embedding_width: int, attends: bool) -> GateSite | None:
        return AdainSite(
            channels=channels, coarse_channels=coarse_channels, embedding_width=embedding_width, init=self.init
        )
