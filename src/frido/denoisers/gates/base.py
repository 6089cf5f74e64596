"""How coarser scales come into the U-Net."""

from abc import ABC, abstractmethod
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn


class GateSite(nn.Module, ABC):
    """The gate at one norm: what it makes of the coarser scales, and what that does to the norm's output.

    Promise: `prepare` is a function of the coarse features alone, so once is enough for a whole chain; every tensor
    that it returns has the batch first.
    """

    @abstractmethod
    def prepare(self, coarse: Float[Tensor, "batch coarse_channels height width"]) -> tuple[Tensor, ...]:
        """Return what `forward` needs of the coarse features, which are on the grid of the norm's input."""

    @abstractmethod
    def forward(
        self,
        normed: Float[Tensor, "batch channels height width"],
        prepared: tuple[Tensor, ...],
        embedding: Float[Tensor, "batch embedding_width"],
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the modulated output of the norm; `embedding` is that of time and stage, after SiLU."""


class ScaleShiftSite(GateSite):
    """A gate that prepares `(scale, shift)` and computes `normed * (1 + scale) + shift`."""

    def forward(
        self,
        normed: Float[Tensor, "batch channels height width"],
        prepared: tuple[Tensor, ...],
        embedding: Float[Tensor, "batch embedding_width"],
    ) -> Float[Tensor, "batch channels height width"]:
        return modulated(normed, *prepared)


class Gate(ABC):
    """Builds the sites of one kind of gating. Where no scale is coarser, a gated norm is only its norm."""

    enters: Literal["nowhere", "input", "norms"]
    """`"input"`: the coarse latents are concatenated to the noisy ones, and there are no sites."""

    @abstractmethod
    def site(self, *, channels: int, coarse_channels: int, embedding_width: int, attends: bool) -> GateSite | None:
        """Return the gate of a norm, or `None` where the norm stays plain.

        Args:
            channels: Of the norm.
            coarse_channels: Of the coarse features.
            embedding_width: Of the embedding of time and stage.
            attends: Whether an attention follows the norm, else a convolution.
        """

    def start(self, entrance: nn.Conv2d, *, coarse: int) -> None:
        """Set initial weights of a scale's input convolution, whose first `coarse` channels are the coarser scales'."""
        return


def modulated(normed: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return `normed * (1 + scale) + shift`, in the precision of `normed`."""
    return normed * (1 + scale.to(normed.dtype)) + shift.to(normed.dtype)


def scaled(layer: nn.Module, init: float) -> None:
    """Multiply a fresh layer's weights and bias with `init`: 1 leaves the layer as it starts, 0 silences it."""
    for parameter in layer.parameters():
        parameter.data.mul_(init)
