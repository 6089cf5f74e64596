"""Codebooks of the first stages: how many of their codes are in use, and how evenly."""

from collections.abc import Sequence
from dataclasses import dataclass

from frido.report.curves import CODES, SCALE, codebooks, data
from frido.report.first_stage import FirstStages, first_stages
from frido.report.section import Section, Subject
from frido.report.series import Axes
from frido.report.slug import Slugs


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale's numbers on held-out images: `(name, better way, meaning, a text per first stage)`."""

    name: str
    numbers: tuple[tuple[str, str, str, tuple[str, ...]], ...]


def section(subject: Subject) -> Section | None:
    """Return the codebooks' curves and held-out numbers, where there are any."""
    slugs = Slugs("codebooks")
    charts = [(slugs.of(chart.title), chart) for chart in codebooks(subject.members)]
    first = first_stages(subject.runs, subject.names)
    found = scales(first)
    if not charts and not found:
        return None
    return Section(
        id="codebooks",
        title="Codebook health",
        link="Codebooks",
        partial="codebooks.html.j2",
        values={"charts": charts, "scales": found, "columns": first.columns},
        data=data(charts, Axes()),
    )


def scales(first: FirstStages) -> Sequence[Scale]:
    """Return the held-out numbers of codes by scale, the coarsest first."""
    found: dict[int, list[tuple[str, str, str, tuple[str, ...]]]] = {}
    for row in first.rows:
        scale = SCALE.search(row.name)
        if scale and CODES.search(row.name):
            texts = tuple(shown for shown, *_ in row.values)
            found.setdefault(int(scale[1]), []).append((SCALE.sub("", row.name), row.better, row.meaning, texts))
    return [Scale(f"scale {at}{', coarsest' if at == 0 else ''}", tuple(found[at])) for at in sorted(found)]
