"""A learning rate that rises, then stays."""

from frido.engine.learning_rates.base import LearningRate, warmup


class Constant(LearningRate):
    """Linear warm-up, then 1.

    Args:
        warmup_images: Length of the rise; 0 starts at full rate.
    """

    def __init__(self, *, warmup_images: int) -> None:
        self.warmup_images = warmup_images

    def __call__(self, images_seen: int, *, budget: int) -> float:
        return warmup(images_seen, self.warmup_images)
