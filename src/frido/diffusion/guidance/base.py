"""How a condition is pressed."""

from abc import ABC, abstractmethod

from frido.contracts.denoiser import Condition, Denoise, Denoiser


class Guidance(ABC):
    """Turns a conditional denoiser into a `Denoise`. Promise: one network call per call of it."""

    @property
    @abstractmethod
    def uses_empty(self) -> bool:
        """Whether the empty condition matters; then the denoiser must have been trained with it."""

    @abstractmethod
    def __call__(self, denoiser: Denoiser, condition: Condition, empty: Condition) -> Denoise: ...
