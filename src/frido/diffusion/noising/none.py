"""The coarse latents as they are."""

from jaxtyping import Float
from torch import Tensor

from frido.contracts.pyramid import Pyramid
from frido.diffusion.noising.base import Forced, TeacherForcing


class NoNoise(TeacherForcing):
    """Finer scales are trained on the true coarse latents, and sampled on the generated ones."""

    tells_level = False

    def train(self, coarse: Pyramid, noise: Pyramid, draw: Float[Tensor, "batch"]) -> Forced:
        return Forced(coarse)

    def sample(self, coarse: Pyramid, noise: Pyramid) -> Forced:
        return Forced(coarse)
