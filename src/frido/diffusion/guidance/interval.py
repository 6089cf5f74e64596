"""Classifier-free guidance in a range of noise levels."""

from torch import Tensor

from frido.contracts.denoiser import Condition, Denoise, Denoiser
from frido.contracts.errors import FridoError
from frido.diffusion.guidance.classifier_free import ClassifierFree
from frido.diffusion.guidance.none import NoGuidance
from frido.diffusion.schedules.base import Schedule


class Interval(ClassifierFree):
    """Classifier-free guidance where `low < sigma / alpha <= high`, elsewhere the condition alone
    (Kynkäänniemi et al., 2024).

    Where it is off the network is called on the batch as it is, at half the cost. Weight 1 is the condition alone.

    Args:
        weight: 1 none, more presses the condition.
        low: Noise over signal, from which on little is left to decide.
        high: Noise over signal, above which guidance costs variety.
    """

    def __init__(self, *, weight: float | list[float], low: float, high: float) -> None:
        if not 0 <= low < high:
            raise FridoError(
                "diffusion.guidance.low",
                got=f"low={low} and high={high}",
                wanted="noise over signal, 0 or more, rising from low to high",
                do="diffusion.guidance.low=0.3 diffusion.guidance.high=5.0",
            )
        super().__init__(weight=weight)
        self.low, self.high = low, high

    def __call__(self, denoiser: Denoiser, condition: Condition, empty: Condition, *, schedule: Schedule) -> Denoise:
        pressed = super().__call__(denoiser, condition, empty, schedule=schedule)
        alone = NoGuidance()(denoiser, condition, empty, schedule=schedule)

        def guided(noisy: Tensor, time: Tensor) -> Tensor:
            level = schedule.sigma(time[0]) / schedule.alpha(time[0])  # a chain is at one time in all its samples
            return (pressed if self.low < level <= self.high else alone)(noisy, time)

        return guided
