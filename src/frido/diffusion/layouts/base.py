"""On which grids the chains of a pyramid run."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from frido.contracts.pyramid import Pyramid

Shape = tuple[int, int, int]
"""`(channels, height, width)` of a latent."""


class Layout(ABC):
    """Moves a pyramid between the autoencoder's own grids and those that it is denoised on.

    Promises: `restore(arrange(pyramid))` is the pyramid; `arrange` gives latents of `shapes`; `settle` changes
    nothing in an arranged pyramid.
    """

    @abstractmethod
    def shapes(self, own: Sequence[Shape]) -> list[Shape]:
        """Return the shapes that the chains run on, for a pyramid of `own` shapes."""

    @abstractmethod
    def arrange(self, pyramid: Pyramid) -> Pyramid:
        """Return the pyramid as the chains see it."""

    @abstractmethod
    def coarse(self, arranged: Pyramid, *, own: Sequence[Shape]) -> Pyramid:
        """Return arranged latents of the scales `0 .. s - 1` on the grid of scale `s`, as conditions for it.

        `own` are the shapes of the whole pyramid before arranging; `s` is `len(arranged)`.
        """

    @abstractmethod
    def settle(self, chain_end: Tensor, *, scale: int, own: Sequence[Shape]) -> Tensor:
        """Return the result of the chain of `scale` without what an arranged pyramid cannot hold."""

    @abstractmethod
    def restore(self, arranged: Pyramid, *, own: Sequence[Shape]) -> Pyramid:
        """Return the pyramid, or its first scales with `own` shapes of as many, on the autoencoder's own grids."""
