"""The condition as it is."""

from torch import Tensor

from frido.contracts.denoiser import Condition, Denoise, Denoiser
from frido.diffusion.guidance.base import Guidance
from frido.diffusion.schedules.base import Schedule


class NoGuidance(Guidance):
    """The denoiser under its condition, nothing else."""

    @property
    def uses_empty(self) -> bool:
        return False

    def at(self, scale: int, *, num_scales: int) -> Guidance:
        return self

    def __call__(self, denoiser: Denoiser, condition: Condition, empty: Condition, *, schedule: Schedule) -> Denoise:
        def conditional(noisy: Tensor, time: Tensor) -> Tensor:
            return denoiser(noisy, time, condition)

        return conditional
