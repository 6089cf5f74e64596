"""A fixed share of noise in the coarse latents."""

from frido.contracts.pyramid import Pyramid
from frido.diffusion.noising.base import TeacherForcing


class ConstantMix(TeacherForcing):
    """`(1 - tau) * coarse + tau * noise` at every time, as Frido trains (not variance preserving).

    Args:
        tau: Share of noise in [0, 1]; 0.1 in Frido.
    """

    def __init__(self, *, tau: float) -> None:
        self.tau = tau

    def __call__(self, coarse: Pyramid, noise: Pyramid) -> Pyramid:
        return tuple((1 - self.tau) * z + self.tau * eps for z, eps in zip(coarse, noise, strict=True))
