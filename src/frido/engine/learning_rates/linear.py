"""A learning rate that rises, then falls along a line."""

from frido.engine.learning_rates.base import LearningRate, warmup


class Linear(LearningRate):
    """Linear warm-up, times a line from 1 to `final` over the whole budget.

    Args:
        warmup_images: Length of the rise; 0 starts at full rate.
        final: The factor that the fall ends at.
    """

    def __init__(self, *, warmup_images: int, final: float) -> None:
        self.warmup_images, self.final = warmup_images, final

    def __call__(self, images_seen: int, *, budget: int) -> float:
        fall = 1 - min(1.0, images_seen / budget)
        return warmup(images_seen, self.warmup_images) * (self.final + (1 - self.final) * fall)
