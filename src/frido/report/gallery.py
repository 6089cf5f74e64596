"""Scenes beside what the runs made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from frido.report import graph
from frido.report.compare import aligned
from frido.report.notes import named
from frido.report.numbers import count
from frido.report.picture import Picture, embed
from frido.report.run import Finding, Run, Samples
from frido.report.scores import scores
from frido.report.section import Section, Subject
from frido.report.table import Row, flat, say

PICTURES, FEWEST = 288, 4
"""Generated pictures of one tag on a page, about, and scenes at the least: of many runs fewer scenes are shown."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one run made of one scene; `objects` are `(name, found or None, why)` in the judge's eyes."""

    picture: Picture | None
    objects: tuple[tuple[str, bool | None, str], ...]


@dataclass(frozen=True, slots=True)
class SceneCard:
    title: str
    captions: tuple[str, ...]
    graph: Markup
    shown: Picture | None
    real: Picture | None
    drawn: tuple[Drawn, ...]


@dataclass(frozen=True, slots=True)
class Gallery:
    """All scenes of one tag over all runs; `total` counts those not shown too.

    `scores` has the rows of each run: a cell of these samples, and one of the run's own.
    """

    tag: str
    protocols: tuple[tuple[tuple[str, str], ...], ...]
    judged: tuple[str, ...]
    scores: tuple[tuple[Row, ...], ...]
    cards: tuple[SceneCard, ...]
    total: int
    has_shown: bool
    has_real: bool

    def how(self, names: Sequence[str]) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
        """Return how the samples were drawn, runs of one protocol together: `(whose, protocol)`."""
        whose: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for name, protocol in zip(names, self.protocols, strict=True):
            if protocol:
                whose.setdefault(protocol, []).append(name)
        return [(named(runs, of=len(names)), protocol) for protocol, runs in whose.items()]


def section(subject: Subject) -> Section | None:
    """Return the samples; of a run that has a first stage alone, nothing."""
    limit = min(subject.scenes, max(FEWEST, PICTURES // len(subject.runs)))
    found = galleries(subject.runs, limit=limit)
    if not found and any(run.first_stage and run.first_stage.evaluation for run in subject.runs):
        return None
    title = "Samples beside their scene graphs"
    return Section("samples", title, "Samples", "samples.html.j2", {"galleries": found})


def galleries(runs: Sequence[Run], *, limit: int) -> list[Gallery]:
    """Return a gallery for every tag that any run has, with at most `limit` scenes each."""
    tags = dict.fromkeys(tag for run in runs for tag in run.samples)
    # A person's own scenes have no real images; they come last.
    own = {tag: not any(tag in run.samples and any(run.samples[tag].real) for run in runs) for tag in tags}
    return [_gallery(tag, runs, limit) for tag in sorted(tags, key=own.__getitem__)]


def _gallery(tag: str, runs: Sequence[Run], limit: int) -> Gallery:
    columns = [run.samples.get(tag) for run in runs]
    places = aligned(columns)
    cards = tuple(_card(columns, place.rows) for place in places[:limit])
    return Gallery(
        tag=tag,
        protocols=tuple(
            tuple((key, say(value)) for key, value in flat(group.protocol) if key != "note") if group else ()
            for group in columns
        ),
        judged=tuple(_judged(group) for group in columns),
        scores=tuple(scores(run, group) if group else () for run, group in zip(runs, columns, strict=True)),
        cards=cards,
        total=len(places),
        has_shown=any(card.shown for card in cards),
        has_real=any(card.real for card in cards),
    )


def _findings(group: Samples | None, row: int | None) -> tuple[Finding, ...]:
    return group.found[row] if group and row is not None and row < len(group.found) else ()


def _judged(group: Samples | None) -> str:
    found = [finding.found for row in group.found for finding in row] if group else []
    if not group or not found:
        return ""
    where = "all scenes" if len(group.found) == len(group.scenes) else f"the first {count(len(group.found))} scenes"
    return f"{count(sum(found))} of {count(len(found))} objects in {where}"


def _card(columns: Sequence[Samples | None], rows: Sequence[int | None]) -> SceneCard:
    there = [(group, row) for group, row in zip(columns, rows, strict=True) if group and row is not None]
    scene = there[0][0].scenes[there[0][1]]
    shown, real = (
        next((embed(path) for path in paths if path), None)
        for paths in zip(*((group.shown[row], group.real[row]) for group, row in there), strict=True)
    )
    drawn = []
    for group, row in zip(columns, rows, strict=True):
        path = group.generated[row] if group and row is not None else None
        judged = {finding.object: finding for finding in _findings(group, row)}
        objects = tuple(
            (graph.name_of(scene, index), judged[index].found, judged[index].why) for index in sorted(judged)
        )
        drawn.append(Drawn(embed(path) if path else None, objects))
    return SceneCard(scene.id, scene.captions, Markup(graph.draw(scene)), shown, real, tuple(drawn))
