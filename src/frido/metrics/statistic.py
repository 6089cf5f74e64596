"""What FID, IS and their kin are: numbers from features."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from frido.metrics.features.base import Features


class Outcome(NamedTuple):
    """The numbers of a statistic by short name ("fid"); or why there are none."""

    numbers: dict[str, float]
    images: int
    """Of the generated side, as the numbers' names say it."""
    refusal: str = ""
    about: Mapping[str, Any] = MappingProxyType({})
    """What of its settings a reader must know to compare, by the names of its card."""


class FeatureStatistic(ABC):
    """Numbers over features of generated images and of real ones.

    Constructed by partial with `dimension` of the features and `classes` of the logits at run time.
    """

    names: tuple[str, ...]
    """Short names of the numbers; the first stands for the statistic."""

    @abstractmethod
    def compute(self, *, real: Features, generated: Features) -> Outcome:
        """Return the numbers over both sides, whose rows come in ascending order of position."""
