"""Images per second of training alone, and how much of it was waiting for them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Counts the time of steps; sampling, logging and saving in between do not count."""

    def __init__(self) -> None:
        self.images, self.seconds, self.waited = 0, 0.0, 0.0

    @contextmanager
    def running(self, images: int) -> Iterator[None]:
        """Count the time of the block, in which `images` are trained on."""
        start = time.perf_counter()
        yield
        self.images += images
        self.seconds += time.perf_counter() - start

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block, inside of a step, as spent without work."""
        start = time.perf_counter()
        yield
        self.waited += time.perf_counter() - start

    def take(self) -> dict[str, float]:
        """Return images per second, and the share of time spent waiting in [0, 1], since last asked."""
        seconds = max(self.seconds, 1e-9)
        values = {"images_per_second": self.images / seconds, "data_wait": self.waited / seconds}
        self.images, self.seconds, self.waited = 0, 0.0, 0.0
        return values
