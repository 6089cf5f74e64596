"""How the learning rate changes over a training."""

from abc import ABC, abstractmethod


class LearningRate(ABC):
    """A factor on the optimizer's own learning rate, as a function of images seen and of nothing else.

    Counting images, not steps, keeps it true when the batch is split over more ranks or micro-batches.
    """

    @abstractmethod
    def __call__(self, images_seen: int, *, budget: int) -> float:
        """Return the factor in [0, 1] of the step that starts at `images_seen` of `budget` images."""


def warmup(images_seen: int, warmup_images: int) -> float:
    """Return the linear rise from 0 to 1 over the first `warmup_images`."""
    return min(1.0, images_seen / warmup_images) if warmup_images else 1.0
