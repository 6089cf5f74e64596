"""The coarse latents as they are."""

from frido.contracts.pyramid import Pyramid
from frido.diffusion.noising.base import TeacherForcing


class NoNoise(TeacherForcing):
    """Finer scales are trained on the true coarse latents."""

    def __call__(self, coarse: Pyramid, noise: Pyramid) -> Pyramid:
        return coarse
