"""All metrics of a run in one pass over its images."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from frido.contracts.metric import Metric
from frido.contracts.scene import Scene
from frido.metrics.features.bank import FeatureBank
from frido.metrics.judge import Judge


class Result(NamedTuple):
    """Numbers by full name; cards by the same names, and by the names of numbers that were refused (with why)."""

    numbers: dict[str, float]
    cards: dict[str, dict[str, Any]]


class Evaluation:
    """Makes its metrics afresh for every run, so that it can be used any number of times during training.

    Args:
        metrics: By any name; partials that need nothing more.
    """

    def __init__(self, *, metrics: dict[str, Callable[[], Metric]]) -> None:
        self.make = metrics

    def run(self, batches: Iterable[tuple[Tensor, Tensor, Sequence[Scene]]]) -> Result:
        """Return the numbers and cards over batches of `(real, generated, scenes)`, images uint8 NCHW RGB.

        Under torch.distributed each process brings its own rows and all get the same numbers.
        """
        metrics = [make() for make in self.make.values()]
        for real, generated, scenes in batches if metrics else ():
            for metric in metrics:
                metric.update(real=real, generated=generated, scenes=scenes)
        numbers: dict[str, float] = {}
        cards: dict[str, dict[str, Any]] = {}
        for metric in metrics:
            found = metric.compute()
            card = metric.card()
            refused = card.pop("refused", {})
            numbers |= found
            cards |= {name: {**card, "value": value} for name, value in found.items()}
            cards |= {name: {**card, "refused": why} for name, why in refused.items()}
        return Result(numbers, cards)

    def of_features(self) -> "Evaluation":
        """Return the same without what needs scenes: statistics over features alone."""
        kept = {name: make for name, make in self.make.items() if isinstance(make(), FeatureBank)}
        return Evaluation(metrics=kept)

    def judge(self) -> Judge | None:
        """Return a new judge, which can report on single pictures; `None` where there is none among the metrics."""
        return next((metric for metric in (make() for make in self.make.values()) if isinstance(metric, Judge)), None)
