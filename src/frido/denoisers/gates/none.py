"""No modulation."""

from jaxtyping import Float
from torch import Tensor

from frido.denoisers.gates.base import Gate


class NoGate(Gate):
    """Leaves every norm alone; the coarse latents enter once, concatenated to the noisy ones (Frido's ablation)."""

    concatenates = True

    def __init__(self, *, channels: int, coarse_channels: int) -> None:
        super().__init__()

    def forward(
        self, coarse: Float[Tensor, "batch coarse_channels height width"]
    ) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch channels height width"]]:
        raise AssertionError("this gate modulates nothing")
