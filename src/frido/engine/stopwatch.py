"""Images per second of training alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Counts the time of steps; sampling, logging and saving in between do not count."""

    def __init__(self) -> None:
        self.images, self.seconds = 0, 0.0

    @contextmanager
    def running(self, images: int) -> Iterator[None]:
        """Count the time of the block, in which `images` are trained on."""
        start = time.perf_counter()
        yield
        self.images += images
        self.seconds += time.perf_counter() - start

    def take(self) -> float:
        """Return images per second since last asked."""
        speed = self.images / max(self.seconds, 1e-9)
        self.images, self.seconds = 0, 0.0
        return speed
