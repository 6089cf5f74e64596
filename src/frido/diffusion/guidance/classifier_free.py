"""Classifier-free guidance."""

from torch import Tensor

from frido.contracts.denoiser import Condition, Denoise, Denoiser
from frido.diffusion.guidance.base import Guidance
from frido.diffusion.guidance.none import NoGuidance
from frido.diffusion.guidance.weights import presses, under_both, weight_at
from frido.diffusion.schedules.base import Schedule


class ClassifierFree(Guidance):
    """`empty + weight * (conditional - empty)`, both in one batched call (Ho and Salimans, 2022, in LDM's units).

    Weight 1 is the condition alone, computed alone, so that it changes nothing, not even by rounding.

    Args:
        weight: 1 none, more presses the condition; 1.5 in Frido.
    """

    def __init__(self, *, weight: float | list[float]) -> None:
        self.weight = weight

    @property
    def uses_empty(self) -> bool:
        return presses(self.weight)

    def at(self, scale: int, *, num_scales: int) -> Guidance:
        return ClassifierFree(weight=weight_at(self.weight, scale, num_scales=num_scales))

    def __call__(self, denoiser: Denoiser, condition: Condition, empty: Condition, *, schedule: Schedule) -> Denoise:
        if not self.uses_empty:
            return NoGuidance()(denoiser, condition, empty, schedule=schedule)
        assert not isinstance(self.weight, list), "these are weights of several scales: choose one by `at`"
        weight, predict = self.weight, under_both(denoiser, condition, empty)

        def guided(noisy: Tensor, time: Tensor) -> Tensor:
            unconditional, conditional = predict(noisy, time)
            return unconditional + weight * (conditional - unconditional)

        return guided
