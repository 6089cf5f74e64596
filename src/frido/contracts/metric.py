"""Images in, numbers out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxtyping import Int64, UInt8
from torch import Tensor

from frido.contracts.scene import Scene


class Pictures(NamedTuple):
    """Images of one side, real or generated."""

    positions: Int64[Tensor, "batch"]
    """A number that no other row of its side has, so that results depend on no order, batch or process."""
    images: UInt8[Tensor, "batch 3 height width"]


@dataclass(frozen=True, slots=True)
class Part:
    """A number over a part of what it was measured on."""

    value: float
    count: int
    """Of what it is a mean of: objects, relationships, images."""


class Metric(ABC):
    """Compares generated images with real ones and with the scenes that both should show.

    Update any number of times, then compute; what follows is about the last `compute`. Names carry the protocol
    (`fid/scenes@1000`). Every process brings its own rows, and all get the same numbers.
    """

    needs_pairs: bool
    """Whether row k of both sides must belong together, at equal positions."""
    needs_scenes: bool
    """Whether it looks at scenes."""

    @abstractmethod
    def update(self, *, real: Pictures, generated: Pictures, scenes: Sequence[Scene]) -> None:
        """Take in real and generated images, and the scenes of the generated ones, row by row.

        Without pairs the sides may have different numbers of rows, also none; without scenes there are none.
        """

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the numbers by full name; a number that would mean nothing is left out (see `card`)."""

    @abstractmethod
    def card(self) -> dict[str, Any]:
        """Return what a reader must know to compare: extractor, weights hash, resize, counts, refusals."""

    @abstractmethod
    def parts(self) -> Mapping[str, Mapping[str, Part]]:
        """Return numbers over parts, such as per class: `{"judge/recall": {"shape circle": Part(0.7, 312)}}`."""

    @abstractmethod
    def rows(self) -> Mapping[int, Mapping[str, float]]:
        """Return numbers of single scenes by position: `{0: {"judge/recall": 0.5}}`."""
