"""A learning rate that rises, stays, then falls without an end in sight."""

import math

from frido.contracts.errors import FridoError
from frido.engine.learning_rates.base import LearningRate, warmup


class InverseSquareRoot(LearningRate):
    """Linear warm-up, times `1 / sqrt(max(n / n_ref, 1))` at `n` images seen (Karras et al., 2024).

    It does not depend on the budget, so a training that is made longer goes on as if it had been so from the start.
    With `reference_images` equal to `warmup_images` it is the schedule of Vaswani et al. (2017, equation 3).

    Args:
        warmup_images: Length of the rise; 0 starts at full rate.
        reference_images: n_ref, where the fall begins; at four times as many the factor is a half.

    Raises:
        FridoError: `reference_images` is less than 1.
    """

    def __init__(self, *, warmup_images: int, reference_images: int) -> None:
        if reference_images < 1:
            raise FridoError(
                "reference_images of an inverse square root",
                got=reference_images,
                wanted="1 or more: the images seen from which on the rate falls",
                do="training.denoiser.schedule.reference_images=64000",
            )
        self.warmup_images, self.reference_images = warmup_images, reference_images

    def __call__(self, images_seen: int, *, budget: int) -> float:
        fall = 1 / math.sqrt(max(images_seen / self.reference_images, 1.0))
        return warmup(images_seen, self.warmup_images) * fall
