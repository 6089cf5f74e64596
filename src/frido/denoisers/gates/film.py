"""Modulation by what the coarser scales are like on the whole."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from frido.denoisers.gates.base import Gate, GateSite, ScaleShiftSite, scaled


class FilmSite(ScaleShiftSite):
    """One scale and shift per channel from the mean of the coarse features: `Linear(SiLU(Linear(mean)))`."""

    def __init__(self, *, channels: int, coarse_channels: int, hidden: int, init: float) -> None:
        super().__init__()
        self.shared = nn.Linear(coarse_channels, hidden)
        self.scale_shift = nn.Linear(hidden, 2 * channels)
        scaled(self.scale_shift, init)

    def prepare(self, coarse: Float[Tensor, "batch coarse_channels height width"]) -> tuple[Tensor, ...]:
        means = coarse.mean(dim=(2, 3))
        scale, shift = self.scale_shift(F.silu(self.shared(means)))[:, :, None, None].chunk(2, dim=1)
        return scale, shift


class FilmGate(Gate):
    """Feature-wise modulation of every norm (Perez et al., 2018): the coarser scales without their places.

    Args:
        hidden: Width between the linear layers.
        init: Factor on the initial weights of the last layer; 0 starts as the identity.
    """

    enters = "norms"

    def __init__(self, *, hidden: int, init: float) -> None:
        self.hidden, self.init = hidden, init

    def site(self, *, channels: int, coarse_channels: int, embedding_width: int, attends: bool) -> GateSite | None:
        return FilmSite(channels=channels, coarse_channels=coarse_channels, hidden=self.hidden, init=self.init)
