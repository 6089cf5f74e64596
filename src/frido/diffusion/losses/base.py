"""Distances between a prediction and its target."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor


class Loss(ABC):
    """A distance per sample, averaged over channels and cells."""

    @abstractmethod
    def __call__(
        self,
        prediction: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch"]: ...
