"""What a finer scale sees of the coarser ones."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from frido.contracts.pyramid import Pyramid


class Forced(NamedTuple):
    """Coarse latents as a finer scale is to see them, and the share of noise in them where it is told."""

    coarse: Pyramid
    level: Float[Tensor, "batch"] | None = None


class TeacherForcing(ABC):
    """Prepares coarse latents as conditions: true ones in training, generated ones in sampling."""

    tells_level: bool
    """Whether the denoiser is told the share of noise (`Forced.level`); it is built with an embedding for it then."""

    @abstractmethod
    def train(self, coarse: Pyramid, noise: Pyramid, draw: Float[Tensor, "batch"]) -> Forced:
        """Return true latents as the finer scale is trained on them.

        Args:
            coarse: Of all coarser scales.
            noise: Standard normal of the same shapes.
            draw: A number in [0, 1) for each sample, for those that draw the share of noise.
        """

    @abstractmethod
    def sample(self, coarse: Pyramid, noise: Pyramid) -> Forced:
        """Return generated latents as the finer scale is to see them while it is sampled."""
