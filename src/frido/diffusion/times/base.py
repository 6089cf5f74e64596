"""At which times a denoiser is trained."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor


class Times(ABC):
    """Brings uniform numbers to times of a schedule. Promise: monotonic, so that even numbers give even times."""

    @abstractmethod
    def __call__(self, draw: Float[Tensor, "batch"], *, num_steps: int) -> Float[Tensor, "batch"]:
        """Return float32 times in [0, `num_steps` - 1] for numbers `draw` in [0, 1)."""
