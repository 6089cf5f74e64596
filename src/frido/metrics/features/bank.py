"""One pass through a feature network, shared by every statistic over it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from frido.contracts.metric import Metric
from frido.contracts.scene import Scene
from frido.metrics.features.base import FeatureExtractor, Features
from frido.metrics.statistic import FeatureStatistic, Outcome

ROWS = 64
"""Images a forward pass takes at once: bounds memory (Inception sees 299 px), changes no number."""


class FeatureBank(Metric):
    """Statistics over the features of real and generated images; each image is looked at once.

    Numbers are named `STATISTIC/EXTRACTOR@COUNT`, as in `fid/scenes@1000`: with another extractor or another
    count it is another number.

    Args:
        extractor: The feature network.
        statistics: FID, IS, ... by any name; partials that lack `dimension` and `classes`.
    """

    def __init__(self, *, extractor: FeatureExtractor, statistics: dict[str, Callable[..., FeatureStatistic]]) -> None:
        self.extractor = extractor
        sizes = {"dimension": extractor.dimension, "classes": extractor.classes}
        self.statistics = {name: make(**sizes) for name, make in statistics.items()}
        self.outcomes: dict[str, Outcome] = {}
        # Every process takes part in the sums, one without rows too: none may be left waiting.
        nothing = Features(torch.zeros(0, extractor.dimension), torch.zeros(0, extractor.classes))
        for statistic in self.statistics.values():
            statistic.update(nothing, nothing)

    def update(
        self,
        *,
        real: UInt8[Tensor, "batch 3 height width"],
        generated: UInt8[Tensor, "batch 3 height width"],
        scenes: Sequence[Scene],
    ) -> None:
        assert len(real) == len(generated), "real and generated images come in pairs"
        if self.extractor.missing:
            return
        for start in range(0, len(real), ROWS):
            of_real = self.extractor.extract(real[start : start + ROWS])
            of_generated = self.extractor.extract(generated[start : start + ROWS])
            for statistic in self.statistics.values():
                statistic.to(of_real.features.device)
                statistic.update(of_real, of_generated)

    def compute(self) -> dict[str, float]:
        if self.extractor.missing:
            return {}
        self.outcomes = {name: statistic.compute() for name, statistic in self.statistics.items()}
        return {
            self._full(short, outcome.images): value
            for outcome in self.outcomes.values()
            for short, value in outcome.numbers.items()
        }

    def card(self) -> dict[str, Any]:
        return {
            "extractor": self.extractor.name,
            "weights_sha256": self.extractor.sha256,
            "resize": self.extractor.resize,
            "dimension": self.extractor.dimension,
            "images": max((outcome.images for outcome in self.outcomes.values()), default=0),
            "refused": self._refused(),
        }

    def _refused(self) -> dict[str, str]:
        if missing := self.extractor.missing:
            return {f"{statistic.names[0]}/{self.extractor.name}": missing for statistic in self.statistics.values()}
        return {
            self._full(self.statistics[name].names[0], outcome.images): outcome.refusal
            for name, outcome in self.outcomes.items()
            if outcome.refusal
        }

    def _full(self, short: str, count: int) -> str:
        return f"{short}/{self.extractor.name}@{count}"
