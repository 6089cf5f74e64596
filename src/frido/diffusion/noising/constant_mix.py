"""A fixed share of noise in the coarse latents."""

from jaxtyping import Float
from torch import Tensor

from frido.contracts.pyramid import Pyramid
from frido.diffusion.noising.base import Forced, TeacherForcing
from frido.diffusion.noising.levels import check_level


class ConstantMix(TeacherForcing):
    """`(1 - tau) * coarse + tau * noise` at every time, as Frido trains (not variance preserving).

    Args:
        tau: Share of noise in [0, 1] in training; 0.1 in Frido.
        sampling_tau: The same in sampling; 0 in Frido, which finer scales never saw in training.
    """

    tells_level = False

    def __init__(self, *, tau: float, sampling_tau: float) -> None:
        self.tau = check_level("tau", tau, largest=1.0)
        self.sampling_tau = check_level("sampling_tau", sampling_tau, largest=1.0)

    def train(self, coarse: Pyramid, noise: Pyramid, draw: Float[Tensor, "batch"]) -> Forced:
        return self._mixed(coarse, noise, self.tau)

    def sample(self, coarse: Pyramid, noise: Pyramid) -> Forced:
        return self._mixed(coarse, noise, self.sampling_tau)

    @staticmethod
    def _mixed(coarse: Pyramid, noise: Pyramid, tau: float) -> Forced:
        return Forced(tuple((1 - tau) * z + tau * eps for z, eps in zip(coarse, noise, strict=True)))
