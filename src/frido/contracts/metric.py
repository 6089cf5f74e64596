"""Images in, numbers out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from frido.contracts.scene import Scene


class Metric(ABC):
    """Compares generated images with real ones and with the scenes that both should show.

    Update any number of times, then compute. Names carry the protocol (`fid/scenes@1000`).
    """

    @abstractmethod
    def update(
        self,
        *,
        real: UInt8[Tensor, "batch 3 height width"],
        generated: UInt8[Tensor, "batch 3 height width"],
        scenes: Sequence[Scene],
    ) -> None:
        """Take in real images, the images generated from the same scenes, and these scenes, row by row."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the numbers by full name; a number that would mean nothing is left out (see `card`)."""

    @abstractmethod
    def card(self) -> dict[str, Any]:
        """Return what a reader must know to compare: extractor, weights hash, resize, counts, refusals."""
