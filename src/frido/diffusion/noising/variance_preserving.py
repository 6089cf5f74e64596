"""A fixed level of noise in the coarse latents, at unit variance."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.contracts.pyramid import Pyramid
from frido.diffusion.noising.base import Forced, TeacherForcing
from frido.diffusion.noising.levels import check_level, variance_preserving


class VariancePreserving(TeacherForcing):
    """`sqrt(1 - level^2) * coarse + level * noise`, as diffusion itself adds noise (Ho et al., 2022).

    Args:
        level: Standard deviation of the noise in [0, 1] in training.
        sampling_level: The same in sampling; 0 shows clean latents, `level` what training showed.
    """

    tells_level = False

    def __init__(self, *, level: float, sampling_level: float) -> None:
        self.level = check_level("level", level, largest=1.0)
        self.sampling_level = check_level("sampling_level", sampling_level, largest=1.0)

    def train(self, coarse: Pyramid, noise: Pyramid, draw: Float[Tensor, "batch"]) -> Forced:
        return self._noised(coarse, noise, self.level)

    def sample(self, coarse: Pyramid, noise: Pyramid) -> Forced:
        return self._noised(coarse, noise, self.sampling_level)

    @staticmethod
    def _noised(coarse: Pyramid, noise: Pyramid, level: float) -> Forced:
        return Forced(
            tuple(
                variance_preserving(z, eps, torch.full((len(z),), level, device=z.device))
                for z, eps in zip(coarse, noise, strict=True)
            )
        )
