"""Pictures that were taken while training and have no card, at a few moments each."""

from dataclasses import dataclass
from pathlib import Path

from frido.report import grids
from frido.report.numbers import count
from frido.report.picture import Picture, embed
from frido.report.section import Section, Subject

SHOWN = 4  # moments of one periodic grid, evenly spread, first and last among them
GRIDS = 48  # pictures of one stage on a page, about: of many runs fewer moments are shown


@dataclass(frozen=True, slots=True)
class Moments:
    """The periodic grids of one name and stage, of all runs; `pictures` are `(what it is, picture)`."""

    stage: str
    name: str
    pictures: tuple[tuple[str, Picture], ...]


def section(subject: Subject) -> Section | None:
    """Return the pictures, where there are any."""
    groups = moments(subject)
    if not groups:
        return None
    return Section(
        id="pictures",
        title="Pictures while training",
        link="Pictures",
        partial="moments.html.j2",
        values={"groups": groups},
        styles=("moments.css",),
    )


def moments(subject: Subject) -> tuple[Moments, ...]:
    """Return the pictures of every run; a first stage that runs share is shown once."""
    shown: dict[tuple[str, str], list[tuple[str, Picture]]] = {}
    seen: set[Path] = set()
    most = max(1, min(SHOWN, GRIDS // len(subject.members)))
    for member in subject.members:
        for stage, part in (("second stage", member.run), ("first stage", member.run.first_stage)):
            if not part or part.path in seen:
                continue
            seen.add(part.path)
            whose = f"{member.name}, " if subject.several else ""
            for name, every in part.pictures.items():
                told = grids.described(every, grids.grid(every[0][1].parent))
                found = [shot for shot in every if shot not in told]  # others are in sections of their own
                if not found:
                    continue
                steps = min(most, len(found))
                chosen = [found[round(i * (len(found) - 1) / max(steps - 1, 1))] for i in range(steps)]
                shown.setdefault((stage, name), []).extend(
                    (f"{whose}after {count(images)} images", embed(path))
                    for images, path in (chosen if steps > 1 else found[-1:])
                )
    return tuple(Moments(stage, name, tuple(pictures)) for (stage, name), pictures in shown.items())
