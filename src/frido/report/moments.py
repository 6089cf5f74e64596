"""Pictures that were taken while training, at a few moments each."""

from dataclasses import dataclass
from pathlib import Path

from frido.report.numbers import count
from frido.report.picture import Picture, embed
from frido.report.section import Section, Subject

SHOWN = 4  # moments of one periodic grid, evenly spread, first and last among them


@dataclass(frozen=True, slots=True)
class Moments:
    """One periodic grid of a run; `pictures` are `(images seen, picture)`."""

    run: str
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
    shown = []
    seen: set[Path] = set()
    for member in subject.members:
        for stage, part in (("second stage", member.run), ("first stage", member.run.first_stage)):
            if not part or part.path in seen:
                continue
            seen.add(part.path)
            for name, found in part.pictures.items():
                steps = min(SHOWN, len(found))
                chosen = [found[round(i * (len(found) - 1) / max(steps - 1, 1))] for i in range(steps)]
                pictures = tuple((count(images), embed(path)) for images, path in (chosen if steps > 1 else found[-1:]))
                shown.append(Moments(member.name, stage, name, pictures))
    return tuple(shown)
