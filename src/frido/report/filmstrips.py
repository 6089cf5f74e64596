"""Filmstrips of denoising: what chains believe is the clean image, scale by scale, of one run of every arm."""

from collections.abc import Sequence
from dataclasses import dataclass

from frido.report import grids
from frido.report.explorer import letter
from frido.report.grids import Film
from frido.report.members import Member
from frido.report.picture import Picture
from frido.report.section import Section, Subject
from frido.report.stored import stored

BYTES = 1_200_000  # of all strips, about: there are as many scenes as fit, and never less than one
MOST = 12  # arms, at most


@dataclass(frozen=True, slots=True)
class Row:
    """A scale, its steps in words, and what was believed at them."""

    name: str
    told: str
    columns: int
    picture: Picture


@dataclass(frozen=True, slots=True)
class Strip:
    """One scene as one run denoised it; runs of one letter began with the same noise."""

    member: Member
    letter: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene and its strips; `noises` is how many different noises they began with."""

    title: str
    captions: tuple[str, ...]
    strips: tuple[Strip, ...]
    noises: int


def section(subject: Subject) -> Section | None:
    """Return the strips of the first scenes; `None` where no run has any."""
    films = _films(subject.members)
    if not films:
        return None
    scenes = _scenes(films)
    return Section(
        id="filmstrips",
        title="Denoising, scale by scale",
        link="Filmstrips",
        partial="filmstrips.html.j2",
        values={"scenes": scenes, "how": films[0][1][0].how, "one_of": len(films) < len(subject.members)},
        scripts=("filmstrips.js",),
        styles=("pictures.css",),
    )


def _films(members: Sequence[Member]) -> list[tuple[Member, tuple[Film, ...]]]:
    """Return the strips of the first run of each arm that has some, of its first samples with strips."""
    found: dict[int, tuple[Member, tuple[Film, ...]]] = {}
    for member in members:
        if member.arm in found:
            continue
        for tag in member.run.samples:
            if films := grids.films(member.run.path / "samples" / tag):
                found[member.arm] = member, films
                break
    return list(found.values())[:MOST]


def _scenes(films: Sequence[tuple[Member, tuple[Film, ...]]]) -> tuple[Scene, ...]:
    """Return as many scenes as fit, those that the first run drew first."""
    by_scene: dict[tuple[str, str], list[tuple[Member, Film]]] = {}
    for member, own in films:
        for film in own:
            by_scene.setdefault((film.item.scene.id, film.item.condition), []).append((member, film))
    made: list[Scene] = []
    left = BYTES
    for drawn in by_scene.values():
        scene = _scene(drawn)
        size = sum(len(row.picture.uri) for strip in scene.strips for row in strip.rows)
        if made and size > left:
            break
        made.append(scene)
        left -= size
    return tuple(made)


def _scene(drawn: Sequence[tuple[Member, Film]]) -> Scene:
    noises = list(dict.fromkeys(film.item.noise for _, film in drawn))
    shown = drawn[0][1].item.scene
    strips = tuple(Strip(member, letter(noises.index(film.item.noise)), _rows(film)) for member, film in drawn)
    return Scene(shown.id, shown.captions, strips, len(noises))


def _rows(film: Film) -> tuple[Row, ...]:
    return tuple(
        Row(name, _told(steps), len(steps), stored(film.path, box=film.band(place), exact=False, tile=film.width))
        for place, (name, steps) in enumerate(zip(film.rows, film.steps, strict=True))
    )


def _told(steps: Sequence[tuple[int, float]]) -> str:
    """Return the steps of a row in words."""
    numbers = ", ".join(str(step) for step, _ in steps)
    return f"steps {numbers}; time {steps[0][1]:.0f} to {steps[-1][1]:.0f}"
