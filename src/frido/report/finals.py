"""The final numbers of several runs: one panel per metric and protocol, so that no axis holds two."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from frido.report.section import Section, Subject
from frido.report.slug import Slugs
from frido.report.table import Cell, Row, differing, finite, protocol, rows


@dataclass(frozen=True, slots=True)
class Panel:
    """A metric as it was measured in one way.

    Args:
        id: Of the panel in the page.
        name: Of the metric, in full.
        apart: What sets this protocol apart from the others of the same metric.
        card: What the cards of all its runs say alike.
        cells: Of the runs that were measured so.
        otherwise: Places of the runs that were measured otherwise.
        missing: Places of the runs that were not measured.
    """

    id: str
    name: str
    better: str
    meaning: str
    apart: tuple[tuple[str, str], ...]
    card: tuple[tuple[str, str], ...]
    cells: tuple[Cell, ...]
    otherwise: tuple[int, ...]
    missing: tuple[int, ...]

    @property
    def label(self) -> str:
        """The metric and what sets it apart, in one line."""
        return self.name + "".join(f", {key.rpartition('.')[2]} {value}" for key, value in self.apart)

    def of(self, run: int) -> Cell | None:
        """Return the cell of the run at a place."""
        return next((cell for cell in self.cells if cell.run == run), None)


def section(subject: Subject) -> Section | None:
    """Return the final numbers; of a run that has a first stage alone, nothing."""
    table = rows(subject.runs)
    first_stage_alone = any(run.first_stage and run.first_stage.evaluation for run in subject.runs)
    if not table and first_stage_alone:
        return None
    made = panels(table)
    return Section(
        id="metrics",
        title="Metrics with their controls",
        link="Metrics",
        partial="metrics.html.j2",
        values={"rows": table, "panels": made if subject.several else ()},
        data={panel.id: data(panel) for panel in made} if subject.several else None,
    )


def panels(table: Sequence[Row]) -> tuple[Panel, ...]:
    """Return the panels of a table's rows, in their order; of one metric, the protocol of most runs first."""
    slugs = Slugs("metrics")
    return tuple(panel for row in table for panel in _panels(row, slugs))


def data(panel: Panel) -> dict[str, Any]:
    """Return a panel as its script draws it."""
    keys = ("value", "low", "high", "real", "shuffled")
    return {
        "title": panel.label,
        "better": panel.better,
        "cells": [{"run": cell.run} | {key: finite(getattr(cell, key)) for key in keys} for cell in panel.cells],
    }


def _panels(row: Row, slugs: Slugs) -> list[Panel]:
    alike: dict[tuple[tuple[str, str], ...], list[Cell]] = {}
    for cell in row.cells:
        if cell.measured:
            alike.setdefault(tuple(sorted(protocol(cell.card).items())), []).append(cell)
    groups = sorted(alike.items(), key=lambda group: -len(group[1]))
    keys = differing([dict(told) for told, _ in groups])
    missing = tuple(cell.run for cell in row.cells if not cell.measured)
    return [
        Panel(
            id=slugs.of(row.name),
            name=row.name,
            better=row.better,
            meaning=row.meaning,
            apart=tuple((key, dict(told).get(key, "not told")) for key in keys),
            card=_common([cell.card for cell in cells]),
            cells=tuple(cells),
            otherwise=tuple(cell.run for other, others in groups if other != told for cell in others),
            missing=missing,
        )
        for told, cells in groups
    ]


def _common(cards: Sequence[tuple[tuple[str, str], ...]]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in cards[0] if all(pair in card for card in cards))
