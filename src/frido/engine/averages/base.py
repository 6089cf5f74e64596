"""How fast the averaged weights forget."""

from abc import ABC, abstractmethod


class Average(ABC):
    """The decay of an exponential moving average of weights: `averaged = decay * averaged + (1 - decay) * weights`.

    A function of images seen, so that a resumed run needs no counter of updates and no warm-up restarts.
    """

    @abstractmethod
    def decay(self, images_seen: int, *, batch: int) -> float:
        """Return the decay in [0, 1) of the update that follows a step of `batch` images and ends at `images_seen`."""
