"""What quality costs: parameters, operations, speed and memory against a number, with the runs that nothing beats."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from frido.report.finals import Panel, panels
from frido.report.members import Member
from frido.report.overview import mean_speed, parameters
from frido.report.run import Run
from frido.report.section import Section, Subject
from frido.report.table import finite, rows


@dataclass(frozen=True, slots=True)
class Cost:
    """Something to have little of (`better` is "lower") or much (`higher`)."""

    id: str
    label: str
    better: str
    of: Callable[[Run], float | int | None]


def section(subject: Subject) -> Section | None:
    """Return the scatter of several runs, where at least two have a cost and a quality that has a better way."""
    qualities = [panel for panel in panels(rows(subject.runs)) if panel.better and len(panel.cells) > 1]
    costs = [(cost, [cost.of(run) for run in subject.runs]) for cost in COSTS]
    costs = [(cost, values) for cost, values in costs if sum(value is not None for value in values) > 1]
    if not costs or not qualities:
        return None
    return Section(
        id="pareto",
        title="Quality against cost",
        link="Cost",
        partial="pareto.html.j2",
        values={"costs": [cost for cost, _ in costs], "qualities": qualities},
        data={"pareto-chart": data(subject.members, costs, qualities)},
        scripts=("pareto.js",),
    )


def data(
    members: Sequence[Member], costs: Sequence[tuple[Cost, Sequence[float | int | None]]], qualities: Sequence[Panel]
) -> dict[str, Any]:
    """Return every run's costs and qualities by id, `None` where it has none."""
    return {
        "costs": {
            cost.id: {"label": cost.label, "better": cost.better, "values": list(values)} for cost, values in costs
        },
        "qualities": {
            panel.id: {
                "label": panel.label,
                "better": panel.better,
                "values": [finite(cell.value) if (cell := panel.of(member.place)) else None for member in members],
            }
            for panel in qualities
        },
    }


def operations_per_image(run: Run) -> float | None:
    """Return floating-point operations of training on one image, over all phases of the second stage."""
    total = 0.0
    for name, points in run.timing.items():
        if name.endswith("/flops_per_second"):
            speeds = dict(run.timing.get(name.replace("flops_per_second", "images_per_second"), ()))
            shares = [value / speeds[images] for images, value in points if speeds.get(images)]
            total += sum(shares) / len(shares) if shares else 0.0
    return total or None


def most_memory(run: Run) -> float | None:
    """Return the most memory of a training process, in bytes."""
    logged = (value for name, points in run.timing.items() if name.endswith("peak_memory_bytes") for _, value in points)
    most = max((value for value in logged if math.isfinite(value)), default=0.0)
    return most or None


COSTS = (
    Cost("parameters", "Parameters", "lower", parameters),
    Cost("operations", "FLOPs of training on an image", "lower", operations_per_image),
    Cost("speed", "Images per second while training", "higher", mean_speed),
    Cost("memory", "Most memory of a process, bytes", "lower", most_memory),
)
