"""Classifier-free guidance."""

import copy

from jaxtyping import Float
from torch import Tensor

from frido.contracts.denoiser import Condition, Denoise, Denoiser, concatenate
from frido.diffusion.guidance.base import Guidance
from frido.diffusion.guidance.none import NoGuidance
from frido.diffusion.per_scale import at_scale
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
        return any(number != 1 for number in (self.weight if isinstance(self.weight, list) else [self.weight]))

    def at(self, scale: int, *, num_scales: int) -> Guidance:
        own = copy.copy(self)
        own.weight = at_scale(self.weight, scale, num_scales=num_scales, setting="diffusion.guidance.weight")
        return own

    def __call__(self, denoiser: Denoiser, condition: Condition, empty: Condition, *, schedule: Schedule) -> Denoise:
        if not self.uses_empty:
            return NoGuidance()(denoiser, condition, empty, schedule=schedule)
        both = concatenate([empty, condition])

        def guided(noisy: Tensor, time: Tensor) -> Tensor:
            return self.press(*denoiser(noisy.repeat(2, 1, 1, 1), time.repeat(2), both).chunk(2))

        return guided

    def press(
        self,
        unconditional: Float[Tensor, "batch channels height width"],
        conditional: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the guided prediction, of those under the empty condition and under the full one."""
        assert not isinstance(self.weight, list), "these are weights of several scales: choose one by `at`"
        return unconditional + self.weight * (conditional - unconditional)
