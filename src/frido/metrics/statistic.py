"""What FID and IS share: numbers from features, states carried by torchmetrics."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torchmetrics

from frido.metrics.features.base import Features


class Outcome(NamedTuple):
    """The numbers of a statistic by short name ("fid"), over `images` images; or why there are none."""

    numbers: dict[str, float]
    images: int
    refusal: str = ""


class FeatureStatistic(torchmetrics.Metric, ABC):
    """Numbers over features of generated images and of real ones.

    Constructed by partial with `dimension` of the features and `classes` of the logits at run time. States are
    torchmetrics', so several processes that saw different rows compute one number.
    """

    names: tuple[str, ...]
    """Short names of the numbers; the first stands for the statistic."""

    @abstractmethod
    def update(self, real: Features, generated: Features) -> None:
        """Take in rows of both sides; any number of rows, any number of times."""

    @abstractmethod
    def compute(self) -> Outcome:
        """Return the numbers over everything that all processes took in."""
