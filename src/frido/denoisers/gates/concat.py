"""Concatenation at the input."""

from torch import nn

from frido.denoisers.gates.base import Gate, GateSite


class ConcatGate(Gate):
    """The coarse latents enter once, concatenated to the noisy ones (Frido's ablation, without modulation).

    Args:
        init: Factor on the initial weights of the coarse channels: 1 the official start, 0 without effect at first.
    """

    enters = "input"

    def __init__(self, *, init: float) -> None:
        self.init = init

    def site(self, *, channels: int, coarse_channels: int, embedding_width: int, attends: bool) -> GateSite | None:
        return None

    def start(self, entrance: nn.Conv2d, *, coarse: int) -> None:
        entrance.weight.data[:, :coarse].mul_(self.init)
