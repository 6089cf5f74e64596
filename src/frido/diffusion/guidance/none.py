"""The condition as it is."""

from torch import Tensor

from frido.contracts.denoiser import Condition, Denoise, Denoiser
from frido.diffusion.guidance.base import Guidance


class NoGuidance(Guidance):
    """The denoiser under its condition, nothing else."""

    @property
    def uses_empty(self) -> bool:
        return False

    def __call__(self, denoiser: Denoiser, condition: Condition, empty: Condition) -> Denoise:
        def conditional(noisy: Tensor, time: Tensor) -> Tensor:
            return denoiser(noisy, time, condition)

        return conditional
