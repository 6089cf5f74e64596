"""Which scales share weights."""

from abc import ABC, abstractmethod


class Trunk(ABC):
    """Divides the scales of a pyramid among copies of each level of a U-Net."""

    @abstractmethod
    def groups(self, *, level: int, num_scales: int) -> list[list[int]]:
        """Return which scales share a level's weights, as a partition of the scales in rising order.

        Args:
            level: 0 is the outermost level (the finest grid); `MIDDLE` is the middle.
            num_scales: Of the pyramid.
        """


MIDDLE = 1_000
"""The level of the middle: deeper than any."""
