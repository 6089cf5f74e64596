"""How a U-Net changes its resolution."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import nn


class Resampling(ABC):
    """Builds what stands between two levels of a trunk.

    Both methods return a module of `channels` in and out: a `UNetResBlock`, or one that is called with the feature
    map alone. `residual` builds residual blocks; it takes `in_channels`, `out_channels`, `factor` (of the input's
    grid), `out_factor` and `resample`.
    """

    @abstractmethod
    def down(self, *, channels: int, factor: int, residual: Callable[..., nn.Module]) -> nn.Module:
        """Return what halves height and width of a map at the grid of `factor`."""

    @abstractmethod
    def up(self, *, channels: int, factor: int, residual: Callable[..., nn.Module]) -> nn.Module:
        """Return what doubles height and width of a map at the grid of `factor`."""
