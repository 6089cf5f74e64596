"""Numbers over parts of what was measured, such as classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from frido.report.numbers import count, short
from frido.report.section import Section, Subject
from frido.report.slug import Slugs
from frido.report.table import finite


@dataclass(frozen=True, slots=True)
class Broken:
    """A metric in its parts; `rows` are `(part, of how many, a number per run or None)`."""

    id: str
    metric: str
    rows: tuple[tuple[str, str, tuple[float | None, ...]], ...]


def section(subject: Subject) -> Section | None:
    """Return the parts, where any run has them."""
    found = broken(subject)
    if not found:
        return None
    return Section(
        id="breakdown",
        title="By class, and by other parts",
        link="By class",
        partial="breakdown.html.j2",
        values={
            "columns": [(arm[0].arm_name if len(arm) > 1 else arm[0].name, arm[0]) for arm in subject.arms],
            "metrics": [(metric, table(metric, subject)) for metric in found],
        },
        data={f"{metric.id}-chart": data(metric) for metric in found},
        scripts=("breakdown.js",),
    )


def broken(subject: Subject) -> tuple[Broken, ...]:
    """Return every metric that any run has in parts; the parts in the order of their names."""
    slugs = Slugs("breakdown")
    breakdowns = [run.breakdown for run in subject.runs]
    metrics = dict.fromkeys(metric for parts in breakdowns for metric in parts)
    return tuple(
        Broken(slugs.of(metric), metric, _rows([parts.get(metric, {}) for parts in breakdowns])) for metric in metrics
    )


def data(metric: Broken) -> dict[str, Any]:
    """Return a metric's parts as their script draws them."""
    return {"title": metric.metric, "parts": [{"name": name, "values": values} for name, _, values in metric.rows]}


def _rows(
    runs: Sequence[dict[str, tuple[float, int]]],
) -> tuple[tuple[str, str, tuple[float | None, ...]], ...]:
    parts = sorted(dict.fromkeys(part for run in runs for part in run))
    made = []
    for part in parts:
        counts = [run[part][1] for run in runs if part in run]
        of = count(counts[0]) if len(set(counts)) == 1 else f"{count(min(counts))} to {count(max(counts))}"
        made.append((part, of, tuple(finite(run[part][0]) if part in run else None for run in runs)))
    return tuple(made)


def table(metric: Broken, subject: Subject) -> list[tuple[str, str, list[str]]]:
    """Return the rows of a metric as words: part, of how many, and the mean of each arm's runs."""
    made = []
    for name, of, values in metric.rows:
        found = [[value for member in arm if (value := values[member.place]) is not None] for arm in subject.arms]
        made.append((name, of, [short(sum(numbers) / len(numbers)) if numbers else "–" for numbers in found]))
    return made
