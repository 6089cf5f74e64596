"""A learning rate that rises, then falls along half a cosine."""

import math

from frido.engine.learning_rates.base import LearningRate, warmup


class Cosine(LearningRate):
    """Linear warm-up, times half a cosine from 1 to `final` over the whole budget (SGDR, Loshchilov and Hutter, 2017).

    Args:
        warmup_images: Length of the rise; 0 starts at full rate.
        final: The factor that the fall ends at.
    """

    def __init__(self, *, warmup_images: int, final: float) -> None:
        self.warmup_images, self.final = warmup_images, final

    def __call__(self, images_seen: int, *, budget: int) -> float:
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, images_seen / budget)))
        return warmup(images_seen, self.warmup_images) * (self.final + (1 - self.final) * fall)
