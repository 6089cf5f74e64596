"""The average of most published diffusion models."""

from frido.engine.averages.base import Average


class Classic(Average):
    """A decay per step with the usual warm-up: `min(limit, (1 + n) / (10 + n))` after step `n` (Frido and LDM: 0.9999).

    Args:
        limit: The decay that the warm-up ends at, in [0, 1).
    """

    def __init__(self, *, limit: float) -> None:
        self.limit = limit

    def decay(self, images_seen: int, *, batch: int) -> float:
        n = images_seen // batch
        return min(self.limit, (1 + n) / (10 + n))
