"""An average that forgets half in a number of images."""

from frido.engine.averages.base import Average


class HalfLife(Average):
    """After `images` more images, a weight of today counts half.

    Args:
        images: The half-life; 0 keeps no memory.
        ramp: Early on the half-life is at most this share of the images seen, so that the average forgets the
            initial weights; null switches that off.
    """

    def __init__(self, *, images: int, ramp: float | None) -> None:
        self.images, self.ramp = images, ramp

    def decay(self, images_seen: int, *, batch: int) -> float:
        half_life = self.images if self.ramp is None else min(self.images, self.ramp * images_seen)
        return 0.5 ** (batch / half_life) if half_life else 0.0
