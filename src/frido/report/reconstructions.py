"""What first stages make of held-out images, from their coarsest scale alone to all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frido.report import grids
from frido.report.grids import Grid
from frido.report.members import Member
from frido.report.picture import Picture
from frido.report.section import Section, Subject
from frido.report.stored import stored

MOST = 8  # moments of all first stages together, at most


@dataclass(frozen=True, slots=True)
class Stage:
    """A first stage: the runs that are built on it, its rows' names, and its pictures, `(images seen, picture)`."""

    members: tuple[Member, ...]
    rows: tuple[str, ...]
    scenes: tuple[str, ...]
    shots: tuple[tuple[int, Picture], ...]


@dataclass(frozen=True, slots=True)
class _Drawn:
    members: tuple[Member, ...]
    card: Grid
    found: tuple[tuple[int, Path], ...]


def section(subject: Subject) -> Section | None:
    """Return the reconstructions of every first stage that says what its pictures show; `None` where none does."""
    drawn = _drawn(subject.members)
    if not drawn:
        return None
    moments = sorted({images for stage in drawn for images, _ in stage.found})
    count = min(len(moments), MOST)
    stops = tuple(moments[round(place * (len(moments) - 1) / max(count - 1, 1))] for place in range(count))
    return Section(
        id="reconstructions",
        title="Reconstructions, scale by scale",
        link="Reconstructions",
        partial="reconstructions.html.j2",
        values={"stages": [_stage(stage, stops) for stage in drawn], "stops": stops},
        data={"stops": stops},
        scripts=("pictures.js",),
        styles=("pictures.css",),
    )


def _drawn(members: Sequence[Member]) -> list[_Drawn]:
    """Return what each first stage drew; one that runs share is there once."""
    built: dict[Path, list[Member]] = {}
    for member in members:
        if member.run.first_stage:
            built.setdefault(member.run.first_stage.path, []).append(member)
    drawn = []
    for on_it in built.values():
        assert on_it[0].run.first_stage is not None
        for found in on_it[0].run.first_stage.pictures.values():
            card = grids.grid(found[0][1].parent)
            if card and (there := grids.described(found, card)):
                drawn.append(_Drawn(tuple(on_it), card, there))
    return drawn


def _stage(stage: _Drawn, stops: Sequence[int]) -> Stage:
    """Return the latest pictures not after each stop; the last one is stored without loss."""
    latest = {max((images for images, _ in stage.found if images <= stop), default=None) for stop in stops}
    last = stage.found[-1][0]
    shots = tuple(
        (images, stored(path, box=None, exact=images == last, tile=stage.card.width))
        for images, path in stage.found
        if images in latest
    )
    return Stage(stage.members, stage.card.rows, tuple(item.scene.id for item in stage.card.items), shots)
