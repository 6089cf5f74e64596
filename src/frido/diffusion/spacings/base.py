"""At which times a sampler asks the network."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

from frido.diffusion.schedules.base import Schedule


class Spacing(ABC):
    """Chooses the times of a chain. Promise: strictly decreasing, float64, the last is 0, or -1: the clean latent."""

    @abstractmethod
    def times(self, schedule: Schedule, *, steps: int) -> Float[Tensor, "times"]:
        """Return the time of every network call, noisy to clean, and then the time where the chain ends."""
