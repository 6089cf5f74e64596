"""A level of noise drawn for each sample, which the denoiser is told."""

import torch
from jaxtyping import Float
from torch import Tensor

from frido.contracts.pyramid import Pyramid
from frido.diffusion.noising.base import Forced, TeacherForcing
from frido.diffusion.noising.levels import check_level, variance_preserving


class SampledLevel(TeacherForcing):
    """Noise conditioning augmentation (Saharia et al., 2022): variance-preserving noise of a level that is told.

    The level is uniform in [0, `largest`] and one for all coarser scales of a sample; the denoiser gets it as an
    embedding, so that one network serves every level and sampling may choose. The coarsest scale is told none.

    Args:
        largest: Largest standard deviation of the noise in training, in [0, 1].
        sampling_level: The one in sampling; at most `largest`, beyond which nothing was trained.
    """

    tells_level = True

    def __init__(self, *, largest: float, sampling_level: float) -> None:
        self.largest = check_level("largest", largest, largest=1.0)
        self.sampling_level = check_level("sampling_level", sampling_level, largest=largest)

    def train(self, coarse: Pyramid, noise: Pyramid, draw: Float[Tensor, "batch"]) -> Forced:
        return self._noised(coarse, noise, (self.largest * draw).to(torch.float32))

    def sample(self, coarse: Pyramid, noise: Pyramid) -> Forced:
        if not coarse:
            return Forced(())
        return self._noised(coarse, noise, torch.full((len(coarse[0]),), self.sampling_level, device=coarse[0].device))

    @staticmethod
    def _noised(coarse: Pyramid, noise: Pyramid, level: Float[Tensor, "batch"]) -> Forced:
        noised = tuple(variance_preserving(z, eps, level) for z, eps in zip(coarse, noise, strict=True))
        return Forced(noised, level if coarse else None)
