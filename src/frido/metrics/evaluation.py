"""All metrics of a run in one pass over its images."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from frido.contracts.metric import Metric, Part, Pictures
from frido.contracts.scene import Scene
from frido.metrics.features.bank import FeatureBank
from frido.metrics.features.reference import Reference
from frido.metrics.judge import Judge

Batches = Iterable[tuple[Pictures, Pictures, Sequence[Scene]]]
"""Real images, generated images, scenes of the generated ones; see `Metric.update`."""


class Result(NamedTuple):
    """What an evaluation found."""

    numbers: dict[str, float]
    """By full name."""
    cards: dict[str, dict[str, Any]]
    """By the same names, and by those of numbers that were refused (with why)."""
    parts: dict[str, Mapping[str, Part]]
    """By the names of numbers: over parts, such as classes."""
    rows: dict[int, dict[str, float]]
    """By position: numbers of single scenes, by name."""


class Evaluation:
    """Makes its metrics afresh for every run, so that it can be used any number of times during training.

    Args:
        metrics: By any name; partials that need nothing more.
    """

    def __init__(self, *, metrics: dict[str, Callable[[], Metric]]) -> None:
        self.make = metrics

    def run(self, batches: Batches, *, paired: bool, described: bool, reference: Reference | None) -> Result:
        """Return what all metrics say; images may be on any device, and are looked at there.

        Under torch.distributed each process brings its own rows and all get the same numbers.

        Args:
            batches: Images of both sides and scenes.
            paired: Whether row k of both sides belong together. Numbers that need it are refused otherwise.
            described: Whether there are scenes. Likewise.
            reference: Where features of the real images are kept, if they are.
        """
        metrics = [make() for make in self.make.values()]
        lacking = [_lacks(metric, paired=paired, described=described) for metric in metrics]
        able = [metric for metric, why in zip(metrics, lacking, strict=True) if not why]
        for metric in able:
            if isinstance(metric, FeatureBank) and reference is not None:
                metric.remember(reference)
        for real, generated, scenes in batches if able else ():
            for metric in able:
                metric.update(real=real, generated=generated, scenes=scenes)
        result = Result({}, {}, {}, {})
        for metric, why in zip(metrics, lacking, strict=True):
            _add(result, metric, why)
        return result

    def of_features(self) -> "Evaluation":
        """Return the same without what needs scenes: statistics over features alone."""
        made = {name: make() for name, make in self.make.items()}
        kept = [name for name, one in made.items() if isinstance(one, FeatureBank) and not one.needs_scenes]
        return Evaluation(metrics={name: self.make[name] for name in kept})

    def judge(self) -> Judge | None:
        """Return a new judge, which can report on single pictures; `None` where there is none among the metrics."""
        return next((metric for metric in (make() for make in self.make.values()) if isinstance(metric, Judge)), None)


def _lacks(metric: Metric, *, paired: bool, described: bool) -> str:
    """Return what is missing for a metric, or nothing."""
    if metric.needs_pairs and not paired:
        return "real and generated images come in no pairs"
    return "there are no scenes that say what the images show" if metric.needs_scenes and not described else ""


def _add(result: Result, metric: Metric, lacking: str) -> None:
    """Add what a metric found, or by the same names what it lacks."""
    found = metric.compute()
    card = metric.card()
    refused, details = card.pop("refused", {}), card.pop("details", {})
    result.numbers.update(found)
    result.cards.update({name: {**card, **details.get(name, {}), "value": value} for name, value in found.items()})
    result.cards.update({name: {**card, "refused": lacking or why} for name, why in refused.items()})
    result.parts.update(metric.parts())
    for position, numbers in metric.rows().items():
        result.rows.setdefault(position, {}).update(numbers)
