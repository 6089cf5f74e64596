"""Classifier-free guidance."""

from torch import Tensor

from frido.contracts.denoiser import Condition, Denoise, Denoiser, concatenate
from frido.diffusion.guidance.base import Guidance


class ClassifierFree(Guidance):
    """`empty + weight * (conditional - empty)`, both in one batched call (Ho and Salimans, 2022, in LDM's units).

    Weight 1 is the condition alone, computed alone, so that it changes nothing, not even by rounding.

    Args:
        weight: 1 none, more presses the condition; 1.5 in Frido.
    """

    def __init__(self, *, weight: float) -> None:
        self.weight = weight

    @property
    def uses_empty(self) -> bool:
        return self.weight != 1

    def __call__(self, denoiser: Denoiser, condition: Condition, empty: Condition) -> Denoise:
        both = concatenate([empty, condition]) if self.uses_empty else condition

        def guided(noisy: Tensor, time: Tensor) -> Tensor:
            if not self.uses_empty:
                return denoiser(noisy, time, condition)
            prediction = denoiser(noisy.repeat(2, 1, 1, 1), time.repeat(2), both)
            unconditional, conditional = prediction.chunk(2)
            return unconditional + self.weight * (conditional - unconditional)

        return guided
