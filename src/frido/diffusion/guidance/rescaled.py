"""Classifier-free guidance that keeps the contrast of what it guides."""

from torch import Tensor

from frido.contracts.denoiser import Condition, Denoise, Denoiser
from frido.contracts.errors import FridoError
from frido.diffusion.guidance.base import Guidance
from frido.diffusion.guidance.none import NoGuidance
from frido.diffusion.guidance.weights import presses, under_both, weight_at
from frido.diffusion.schedules.base import Schedule


class Rescaled(Guidance):
    """The guided prediction, scaled towards the standard deviation of the conditional one (Lin et al., 2023, 3.4).

    A large weight makes predictions larger than any that training showed, and pictures overexposed.
    Weight 1 is the condition alone, computed alone.

    Args:
        weight: 1 none, more presses the condition.
        phi: Share of the rescaled prediction, in [0, 1]; 0 is classifier-free guidance as it is.
    """

    def __init__(self, *, weight: float | list[float], phi: float) -> None:
        if not 0 <= phi <= 1:
            raise FridoError(
                "diffusion.guidance.phi", got=phi, wanted="a share in [0, 1]", do="diffusion.guidance.phi=0.7"
            )
        self.weight, self.phi = weight, phi

    @property
    def uses_empty(self) -> bool:
        return presses(self.weight)

    def at(self, scale: int, *, num_scales: int) -> Guidance:
        return Rescaled(weight=weight_at(self.weight, scale, num_scales=num_scales), phi=self.phi)

    def __call__(self, denoiser: Denoiser, condition: Condition, empty: Condition, *, schedule: Schedule) -> Denoise:
        if not self.uses_empty:
            return NoGuidance()(denoiser, condition, empty, schedule=schedule)
        assert not isinstance(self.weight, list), "these are weights of several scales: choose one by `at`"
        weight, predict = self.weight, under_both(denoiser, condition, empty)

        def guided(noisy: Tensor, time: Tensor) -> Tensor:
            unconditional, conditional = predict(noisy, time)
            pressed = unconditional + weight * (conditional - unconditional)
            wanted, got = (x.float().std(dim=(1, 2, 3), keepdim=True) for x in (conditional, pressed))
            return pressed * (self.phi * wanted / got + (1 - self.phi)).to(pressed.dtype)

        return guided
