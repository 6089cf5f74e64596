"""All runs of a page in one table: the place to filter, to sort, and to choose what is drawn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from frido.report.compare import differences
from frido.report.curves import SPEED, duration_seconds
from frido.report.finals import Panel, panels
from frido.report.members import Member
from frido.report.notes import status
from frido.report.numbers import count, duration, short
from frido.report.run import Run
from frido.report.section import Section, Subject
from frido.report.table import rows


@dataclass(frozen=True, slots=True)
class Cell:
    """What the table shows, and the number that it is sorted by (empty: after all others)."""

    text: str
    value: str


@dataclass(frozen=True, slots=True)
class Line:
    """A run; `words` is all that a filter looks through."""

    member: Member
    kind: str
    status: str
    folder: str
    cells: tuple[Cell, ...]
    words: str


def section(subject: Subject) -> Section | None:
    """Return the table of several runs."""
    if not subject.several:
        return None
    measured = [panel for panel in panels(rows(subject.runs)) if any(cell.value is not None for cell in panel.cells)]
    return Section(
        id="runs",
        title="Runs",
        link="Runs",
        partial="runs.html.j2",
        values={
            "columns": [*COLUMNS, *((panel.label, panel.better, "") for panel in measured)],
            "lines": lines(subject.members, measured),
            "grouped": any(member.seeds > 1 for member in subject.members),
        },
    )


COLUMNS = (
    ("Images seen", "", "count"),
    ("Parameters", "", ""),
    ("Images per second", "", ""),
    ("Trained for", "", "duration"),
)
"""Head, better way, and how the script says a mean."""


def lines(members: Sequence[Member], measured: Sequence[Panel]) -> tuple[Line, ...]:
    """Return a line per run: the facts of `COLUMNS`, then its numbers in the panels."""
    apart = differences([member.run for member in members])
    made = []
    for member in members:
        kind, words = status(member.run)
        settings = [f"{row.key}={row.values[member.place]}" for row in apart]
        cells = [*_facts(member.run), *(_number(panel, member.place) for panel in measured)]
        told = [member.name, member.arm_name, member.run.name, words, *settings]
        made.append(Line(member, kind, words, member.run.name, tuple(cells), " ".join(told).lower()))
    return tuple(made)


def parameters(run: Run) -> int | None:
    """Return how many parameters a run trains and uses in all, where it says so."""
    told = run.provenance.get("parameters")
    if isinstance(told, dict):
        numbers = [value for value in told.values() if isinstance(value, int)]
        return sum(numbers) if numbers else None
    return told if isinstance(told, int) else None


def mean_speed(run: Run) -> float | None:
    """Return images per second over the whole training of the second stage, where it was logged."""
    seconds = duration_seconds(run)
    last = max((points[-1][0] for name, points in run.timing.items() if name.endswith(SPEED)), default=0)
    return last / seconds if seconds else None


def _facts(run: Run) -> list[Cell]:
    seconds = duration_seconds(run)
    return [
        _cell(run.images_seen, count),
        _cell(parameters(run), short),
        _cell(mean_speed(run), short),
        _cell(seconds or None, duration),
    ]


def _number(panel: Panel, place: int) -> Cell:
    cell = panel.of(place)
    return _cell(cell.value if cell else None, short)


def _cell(value: float | int | None, say: Any) -> Cell:
    if value is None:
        return Cell("–", "")
    return Cell(say(value), repr(value) if math.isfinite(value) else "")
