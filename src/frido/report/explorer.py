"""Periodic samples of all runs, column by column: what different models make of the same scene and the same noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from frido.report import graph, grids
from frido.report.grids import Grid
from frido.report.members import Member
from frido.report.picture import Picture
from frido.report.section import Section, Subject
from frido.report.stored import stored

REAL, GENERATED = "real", "generated"
FIRST, MOST = 12, 12
"""Rows that are shown before more are asked for, and stops of the slider, at most."""
BYTES = 3_000_000
"""Of all pictures here, about: there are as many stops as fit, and never less than two. Half of it is for the last
picture of every run without loss; where that is too little, they are stored like the others."""


@dataclass(frozen=True, slots=True)
class Shot:
    """The samples of a run at a moment."""

    images: int
    picture: Picture


@dataclass(frozen=True, slots=True)
class Row:
    """A run; `kinds` numbers, column by column, the different noises that runs of the panel began with."""

    member: Member
    kinds: tuple[int, ...]
    shots: tuple[Shot, ...]

    @property
    def letter(self) -> str:
        """What its noise is called; several letters where columns of it began like other runs."""
        return "/".join(dict.fromkeys(map(letter, self.kinds)))


@dataclass(frozen=True, slots=True)
class Column:
    """A scene: its graph as SVG, and its captions."""

    title: str
    captions: tuple[str, ...]
    graph: Markup


@dataclass(frozen=True, slots=True)
class Panel:
    """Runs that drew the same scenes, in the same order and size; `arms` are their rows, by arm."""

    width: int
    height: int
    columns: tuple[Column, ...]
    real: Picture
    arms: tuple[tuple[str, tuple[Row, ...]], ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for _, rows in self.arms for row in rows)

    @property
    def noises(self) -> int:
        """How many different noises began a column, at most."""
        return max(len({row.kinds[place] for row in self.rows}) for place in range(len(self.columns)))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The pictures of one run that one card describes."""

    member: Member
    card: Grid
    found: tuple[tuple[int, Path], ...]


def section(subject: Subject) -> Section | None:
    """Return the pictures of runs whose cards say what they show; `None` where there are none."""
    drawn = [found for member in subject.members if (found := _drawn(member))]
    if not drawn:
        return None
    exact = sum(_bytes(run, exact=True) for run in drawn) <= BYTES / 2
    stops = _stops(drawn, exact=exact)
    panels = _panels(drawn, stops, exact=exact)
    return Section(
        id="explorer",
        title="The same scenes, as every run draws them",
        link="Explorer",
        partial="pictures.html.j2",
        values={"panels": panels, "stops": stops, "moments": len(_moments(drawn)), "first": FIRST, "exact": exact},
        data={
            "stops": stops,
            "first": FIRST,
            "panels": [{"kinds": {row.member.place: row.kinds for row in panel.rows}} for panel in panels],
        },
        scripts=("pictures.js", "swipe.js"),
        styles=("pictures.css",),
    )


def letter(kind: int) -> str:
    """Return 0, 1, ... as A, B, ..., Z, A1, ..."""
    return chr(ord("A") + kind % 26) + (str(kind // 26) if kind >= 26 else "")


def _drawn(member: Member) -> _Drawn | None:
    """Return the first periodic samples of a run that have real images above them."""
    for found in member.run.pictures.values():
        card = grids.grid(found[0][1].parent)
        there = grids.described(found, card)
        if card and there and {REAL, GENERATED} <= set(card.rows):
            return _Drawn(member, card, there)
    return None


def _moments(drawn: Sequence[_Drawn]) -> list[int]:
    """Return all moments at which a run drew, in images seen."""
    return sorted({images for run in drawn for images, _ in run.found})


def _stops(drawn: Sequence[_Drawn], *, exact: bool) -> tuple[int, ...]:
    """Return the moments of the slider: as many as fit, evenly spread, the first and the last among them."""
    moments = _moments(drawn)
    last = sum(_bytes(run, exact=exact) for run in drawn)
    fit = (BYTES - last) // max(sum(_bytes(run, exact=False) for run in drawn), 1)
    stops = min(len(moments), MOST, max(2, 1 + fit))
    return tuple(moments[round(place * (len(moments) - 1) / max(stops - 1, 1))] for place in range(stops))


def _bytes(run: _Drawn, *, exact: bool) -> int:
    return len(_shot(run, run.found[-1][1], exact=exact).uri)


def _shot(run: _Drawn, path: Path, *, exact: bool, row: str = GENERATED) -> Picture:
    return stored(path, box=run.card.band(row), exact=exact, tile=run.card.width)


def _panels(drawn: Sequence[_Drawn], stops: Sequence[int], *, exact: bool) -> tuple[Panel, ...]:
    groups: dict[object, list[_Drawn]] = {}
    for run in drawn:
        conditions = tuple((item.scene.id, item.condition) for item in run.card.items)
        groups.setdefault((run.card.width, run.card.height, conditions), []).append(run)
    return tuple(_panel(group, stops, exact) for group in sorted(groups.values(), key=len, reverse=True))


def _panel(group: Sequence[_Drawn], stops: Sequence[int], exact: bool) -> Panel:
    first = group[0]
    columns = [_kinds([run.card.items[place].noise for run in group]) for place in range(len(first.card.items))]
    kinds = zip(*columns, strict=True)
    rows = [Row(run.member, own, _shots(run, stops, exact)) for run, own in zip(group, kinds, strict=True)]
    arms: dict[int, list[Row]] = {}
    for row in rows:
        arms.setdefault(row.member.arm, []).append(row)
    return Panel(
        width=first.card.width,
        height=first.card.height,
        columns=tuple(
            Column(item.scene.id, item.scene.captions, Markup(graph.draw(item.scene))) for item in first.card.items
        ),
        real=_shot(first, first.found[-1][1], exact=True, row=REAL),
        arms=tuple((own[0].member.arm_name, tuple(own)) for own in arms.values()),
    )


def _kinds(noises: Sequence[str]) -> list[int]:
    """Return the number of each text among the different ones, in the order of their appearance."""
    order = list(dict.fromkeys(noises))
    return [order.index(noise) for noise in noises]


def _shots(run: _Drawn, stops: Sequence[int], exact: bool) -> tuple[Shot, ...]:
    """Return the latest pictures not after each stop; `exact` stores the run's last without loss."""
    latest = {max((images for images, _ in run.found if images <= stop), default=None) for stop in stops}
    chosen = [(images, path) for images, path in run.found if images in latest]
    return tuple(Shot(images, _shot(run, path, exact=exact and path == run.found[-1][1])) for images, path in chosen)
