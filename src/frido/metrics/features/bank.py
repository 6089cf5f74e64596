"""One pass through a feature network, shared by every statistic over it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from frido.contracts.metric import Metric, Part, Pictures
from frido.contracts.scene import Scene
from frido.metrics.features.base import FeatureExtractor, Features
from frido.metrics.features.reference import Reference
from frido.metrics.features.side import Side, identity
from frido.metrics.statistic import FeatureStatistic, Outcome


class FeatureBank(Metric):
    """Statistics over the features of real and generated images; each image is looked at once.

    Numbers are named `STATISTIC/EXTRACTOR@COUNT`, as in `fid/scenes@1000`: with another extractor or another
    count it is another number.

    Args:
        extractor: The feature network.
        statistics: FID, IS, ... by any name; partials that lack `dimension` and `classes`.
    """

    needs_pairs = False
    needs_scenes = False
    prefix = ""
    """Before the names of the numbers."""

    def __init__(self, *, extractor: FeatureExtractor, statistics: dict[str, Callable[..., FeatureStatistic]]) -> None:
        self.extractor = extractor
        sizes = {"dimension": extractor.dimension, "classes": extractor.classes}
        self.statistics = {name: make(**sizes) for name, make in statistics.items()}
        self.outcomes: dict[str, Outcome] = {}
        self.counts: dict[str, Any] = {}
        self.found_parts: dict[str, dict[str, Part]] = {}
        self.real, self.generated = Side(extractor, None), Side(extractor, None)

    def remember(self, reference: Reference) -> None:
        """Take the features of real images from `reference`, and leave there what has to be looked at."""
        self.real = Side(self.extractor, reference)

    def update(self, *, real: Pictures, generated: Pictures, scenes: Sequence[Scene]) -> None:
        if self.extractor.missing:
            return
        self.real.add(real)
        self.generated.add(generated)

    def compute(self) -> dict[str, float]:
        if self.extractor.missing:
            return {}
        real, generated = self.real.everywhere(), self.generated.everywhere()
        self.counts = {
            "images": len(generated.positions),
            "real_images": len(real.positions),
            "reference": identity(real.digests),
        }
        self.outcomes = {
            name: statistic.compute(real=real, generated=generated) for name, statistic in self.statistics.items()
        }
        self.found_parts = self.parts_of(real=real, generated=generated)
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
            **self.counts,
            "refused": self._refused(),
            "details": self._details(),
        }

    def parts(self) -> Mapping[str, Mapping[str, Part]]:
        return self.found_parts

    def parts_of(self, *, real: Features, generated: Features) -> dict[str, dict[str, Part]]:
        """Return the numbers of parts of both sides; of whole images there are none."""
        return {}

    def rows(self) -> Mapping[int, Mapping[str, float]]:
        return {}

    def _refused(self) -> dict[str, str]:
        if missing := self.extractor.missing:
            names = (statistic.names[0] for statistic in self.statistics.values())
            return {f"{self.prefix}{name}/{self.extractor.name}": missing for name in names}
        return {
            self._full(self.statistics[name].names[0], outcome.images): outcome.refusal
            for name, outcome in self.outcomes.items()
            if outcome.refusal
        }

    def _details(self) -> dict[str, Mapping[str, Any]]:
        return {
            self._full(short, outcome.images): outcome.about
            for name, outcome in self.outcomes.items()
            for short in self.statistics[name].names
        }

    def _full(self, short: str, count: int) -> str:
        return f"{self.prefix}{short}/{self.extractor.name}@{count}"
