"""How fast each stage was trained, and where its time went."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from frido.report import files
from frido.report.curves import SPEED, data, throughput
from frido.report.numbers import count, memory, operations, percent, short
from frido.report.run import Run, Series
from frido.report.section import Section, Subject
from frido.report.series import Axes
from frido.report.slug import Slugs

# Parts of a step in their order, by their names in profiles: what they are.
PARTS = {
    "data": "waiting for the batch",
    "forward": "losses",
    "backward": "gradients",
    "optimizer": "means over ranks, clipping, the step",
    "ema": "averages of the weights",
    "logging": "writing numbers down",
    "looking": "samples and held-out images",
    "checkpoint": "saving",
    "rest": "all else",
}


@dataclass(frozen=True, slots=True)
class Speed:
    """A stage of a run in words: means over the time of its training, and the most memory."""

    run: str
    stage: str
    images: str
    operations: str
    peak: str
    waiting: str
    memory: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a traced step: its share in words and per cent, and that of each phase where there are several."""

    name: str
    meaning: str
    share: str
    width: float
    milliseconds: str
    phases: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """A traced stage; `operators` are `(name, share, ms a step)`."""

    run: str
    stage: str
    traced: str
    parts: tuple[Part, ...]
    operators: tuple[tuple[str, str, str], ...]


def section(subject: Subject) -> Section | None:
    """Return what was measured of speed, where anything was."""
    rows, traced = speeds(subject.runs, subject.names), profiles(subject.runs, subject.names)
    if not rows and not traced:
        return None
    slugs = Slugs("throughput")
    charts = [(slugs.of(chart.title), chart) for chart in throughput(subject.members)]
    return Section(
        id="throughput",
        title="Speed, and where the time went",
        link="Speed",
        partial="speed.html.j2",
        values={"speeds": rows, "profiles": traced, "charts": charts},
        data=data(charts, Axes()),
    )


def speeds(runs: Sequence[Run], names: Sequence[str]) -> tuple[Speed, ...]:
    """Return a row for every stage that logged its speed; a first stage that runs share is one row."""
    return tuple(_speed(name, stage, part) for name, stage, part in _stages(runs, names) if _logged(part, SPEED))


def profiles(runs: Sequence[Run], names: Sequence[str]) -> tuple[Profile, ...]:
    """Return what was traced of every stage.

    Raises:
        FridoError: A profile is malformed.
    """
    found: list[Profile] = []
    for name, stage, part in _stages(runs, names):
        read, told = partial(_profile, name, stage), [part.profile] if part.profile else []
        found += files.each(part.path / "profile" / "shares.json", told, "what debug=profile wrote", read)
    return tuple(found)


def _stages(runs: Sequence[Run], names: Sequence[str]) -> Iterator[tuple[str, str, Run]]:
    seen: set[Path] = set()
    for name, run in zip(names, runs, strict=True):
        for stage, part in (("first stage", run.first_stage), ("second stage", run)):
            if part and part.path not in seen:
                seen.add(part.path)
                yield name, stage, part


def _logged(run: Run, ending: str) -> Series:
    return next((points for name, points in run.timing.items() if name.endswith(f"/{ending}")), ())


def _speed(name: str, stage: str, run: Run) -> Speed:
    seconds: dict[int, float] = {}
    start = 0
    for images, speed in _logged(run, SPEED):
        seconds[images] = (images - start) / speed if speed > 0 else 0.0
        start = images

    def mean(ending: str, say: Callable[[float], str]) -> str:
        parts = [(seconds.get(images, 0.0), value) for images, value in _logged(run, ending)]
        total = sum(part for part, _ in parts)
        return say(sum(part * value for part, value in parts) / total) if total else "–"

    most = max((value for _, value in _logged(run, "peak_memory_bytes")), default=math.nan)
    return Speed(
        run=name,
        stage=stage,
        images=mean(SPEED, short),
        operations=mean("flops_per_second", operations),
        peak=mean("peak_share", percent),
        waiting=mean("data_wait", percent),
        memory=memory(most) if math.isfinite(most) else "–",
    )


def _profile(run: str, stage: str, told: dict[str, Any]) -> Profile:
    if not told["steps"]:
        raise ValueError("no steps")
    a_step = 1e3 * told["seconds"] / told["steps"]
    shares, phases = told["shares"], told["phases"]
    parts = []
    for name in [*PARTS, *(shares.keys() - PARTS.keys())]:
        share = float(shares[name])
        of = [(phase, percent(own[name])) for phase, own in phases.items() if name in own]
        parts.append(
            Part(
                name=name,
                meaning=PARTS.get(name, ""),
                share=percent(share),
                width=round(100 * min(max(share, 0.0), 1.0), 2),
                milliseconds=short(share * a_step),
                phases=tuple(of) if len(of) > 1 else (),
            )
        )
    ranks = told["ranks"]
    where = f"{told['device']}, {ranks} ranks" if ranks > 1 else str(told["device"])
    return Profile(
        run=run,
        stage=stage,
        traced=f"{count(told['steps'])} steps of {count(told['images'] // told['steps'])} images on {where}, "
        f"{short(a_step)} ms a step while traced",
        parts=tuple(parts),
        operators=tuple(
            (str(one["name"]), percent(one["share"]), short(1e3 * one["seconds"] / told["steps"]))
            for one in told["operators"]
        ),
    )
