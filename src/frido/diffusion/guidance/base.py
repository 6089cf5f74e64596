"""How a condition is pressed."""

from abc import ABC, abstractmethod

from frido.contracts.denoiser import Condition, Denoise, Denoiser
from frido.diffusion.schedules.base import Schedule


class Guidance(ABC):
    """Turns a conditional denoiser into a `Denoise`. Promise: one network call per call of it.

    A weight is a number, or a list with one per scale, coarsest first; `at` gives the guidance of one scale.
    """

    @property
    @abstractmethod
    def uses_empty(self) -> bool:
        """Whether the empty condition matters at some scale; then the denoiser must have been trained with it."""

    @abstractmethod
    def at(self, scale: int, *, num_scales: int) -> "Guidance":
        """Return the guidance of one scale; raise `FridoError` where a list is not of `num_scales`."""

    @abstractmethod
    def __call__(
        self, denoiser: Denoiser, condition: Condition, empty: Condition, *, schedule: Schedule
    ) -> Denoise: ...
