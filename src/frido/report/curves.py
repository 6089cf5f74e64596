"""Which numbers share a chart, and how long a run took."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frido.report.files import is_finite
from frido.report.members import COLORS, Member
from frido.report.run import Run, Series
from frido.report.sampling import protocols
from frido.report.section import Section, Subject
from frido.report.series import Axes, drawn, per_curve
from frido.report.slug import Slugs
from frido.report.table import CONTROL, is_final

SCALE = re.compile(r"[/_](?:scale[/_]?)?(\d+)$")
BAND = re.compile(r"/band(\d+)$")
CODES = re.compile(r"usage|perplexity|dead_codes")
DURING = "during/"
SPEED = "images_per_second"
LIKE_SPEED = ("flops_per_second", "peak_share")
# Charts are in this order by the words in their names; anything else follows.
FIRST = ("loss", "recall", "precision", "fid", "is/", "psnr", "usage", "perplexity")
RANGES = 3  # curves of a chart that show the range of what was thinned; more would hide each other


@dataclass(frozen=True, slots=True)
class Line:
    """A curve. `runs` are the places of all runs that it belongs to; `label` is empty where it is the run's own."""

    runs: tuple[int, ...]
    label: str
    color: int
    points: Series


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Panels:
    """Charts under one heading; `folded` ones are looked at rarely."""

    title: str
    folded: bool
    charts: tuple[Chart, ...]


def section(subject: Subject) -> Section:
    """Return the training curves."""
    axes, slugs = Axes(), Slugs("curves")
    groups = [(group, [(slugs.of(chart.title), chart) for chart in group.charts]) for group in panels(subject.members)]
    return Section(
        id="curves",
        title="Training curves",
        link="Curves",
        partial="curves.html.j2",
        values={"groups": groups, "bands": any(member.seeds > 1 for member in subject.members)},
        data=data([pair for _, charts in groups for pair in charts], axes),
    )


def data(charts: Sequence[tuple[str, Chart]], axes: Axes) -> dict[str, Any]:
    """Return charts by their ids as the page's script draws them."""
    made = {}
    for name, chart in charts:
        last = max(line.points[-1][0] for line in chart.lines)
        few = len(chart.lines) <= RANGES
        made[name] = {
            "title": chart.title,
            "lines": [
                {"runs": line.runs, "label": line.label, "color": line.color}
                | drawn(line.points, axes, last=last, buckets=per_curve(len(chart.lines)), band=few)
                for line in chart.lines
            ],
        }
    return {"axes": axes.rows, "charts": made}


def panels(members: Sequence[Member]) -> tuple[Panels, ...]:
    """Return the charts of everything logged more than once, by stage; runs overlaid when several. What tells of
    codebooks has a section of its own."""
    quality: dict[str, list[Line]] = {}
    controls: dict[str, list[Line]] = {}
    second: dict[str, list[Line]] = {}
    apart = protocols(members)
    parts = [((member.place,), member.color, _apart(member.run.metrics, apart[member.place])) for member in members]
    for title, lines in _together(parts).items():
        score = title.startswith(DURING) or any(is_final(title, member.run) for member in members)
        (second if not score else controls if CONTROL.search(title.partition(",")[0]) else quality)[title] = lines
    first = {title: lines for title, lines in _first_stages(members).items() if not CODES.search(title)}
    groups = (
        ("Quality while training", False, quality),
        ("Second stage: denoiser", False, second),
        ("First stage: autoencoder", False, first),
        ("Controls of the quality while training", True, controls),
    )
    made = (Panels(title, folded, _charts(lines)) for title, folded, lines in groups)
    return tuple(group for group in made if group.charts)


def codebooks(members: Sequence[Member]) -> tuple[Chart, ...]:
    """Return the charts of how first stages used their codes."""
    return _charts({title: lines for title, lines in _first_stages(members).items() if CODES.search(title)})


def throughput(members: Sequence[Member]) -> tuple[Chart, ...]:
    """Return the charts of `timing.jsonl`, both stages, without what has the shape of the speed's own curve."""

    def own(run: Run) -> dict[str, Series]:
        return {name: points for name, points in run.timing.items() if not name.endswith(LIKE_SPEED)}

    second = _together([((member.place,), member.color, own(member.run)) for member in members])
    first = _together([(places, color, own(stage)) for stage, places, color in _stages(members)])
    return (*_charts(second), *_charts(first))


def duration_seconds(run: Run) -> float:
    """Return how long training took: images seen over their logged speed, interval by interval.

    Phases of one task are stepped together, so the slowest logged series is the time of all.
    """
    totals = []
    for name, points in run.timing.items():
        if name.endswith(SPEED):
            starts = (0, *(images for images, _ in points))
            totals.append(
                sum(
                    (images - start) / speed
                    for start, (images, speed) in zip(starts, points, strict=False)
                    if speed > 0
                )
            )
    return max(totals, default=0.0)


def _apart(metrics: dict[str, Series], protocol: str) -> dict[str, Series]:
    """Return the curves, scores under names that hold their protocol, so that no chart holds two."""
    if not protocol:
        return metrics
    return {f"{name}, {protocol}" if name.startswith(DURING) else name: points for name, points in metrics.items()}


def _stages(members: Sequence[Member]) -> list[tuple[Run, tuple[int, ...], int]]:
    """Return every first stage once, the places of the runs that share it, and the colour of the first of them."""
    shared: dict[Path, tuple[Run, list[Member]]] = {}
    for member in members:
        if stage := member.run.first_stage:
            shared.setdefault(stage.path, (stage, []))[1].append(member)
    return [(stage, tuple(member.place for member in of), of[0].color) for stage, of in shared.values()]


def _first_stages(members: Sequence[Member]) -> dict[str, list[Line]]:
    return _together([(places, color, stage.metrics) for stage, places, color in _stages(members)])


def _together(parts: Sequence[tuple[tuple[int, ...], int, dict[str, Series]]]) -> dict[str, list[Line]]:
    """Return `{chart: curves}`: scales and controls of one run share a chart, or runs share one per name."""
    found: dict[str, list[Line]] = {}
    for places, color, series in parts:
        for name, points in sorted(series.items()):
            if len(parts) > 1:
                found.setdefault(name, []).append(Line(places, "", color, points))
                continue
            chart, label = name, "model" if f"{name}_real" in series or f"{name}_shuffled" in series else name
            if control := CONTROL.search(name):
                chart, label = CONTROL.sub("", name), control[1]
            elif band := BAND.search(name):
                chart = BAND.sub("/bands of time", name)
                label = "band 0, cleanest" if band[1] == "0" else f"band {band[1]}"
            elif scale := SCALE.search(name):
                chart = SCALE.sub("", name)
                label = "scale 0, coarsest" if scale[1] == "0" else f"scale {scale[1]}"
            elif any(SCALE.sub("", other) == name for other in series if other != name):
                label = "all scales"
            lines = found.setdefault(chart, [])
            lines.append(Line(places, label, len(lines) % COLORS, points))
    return found


def _charts(curves: dict[str, list[Line]]) -> tuple[Chart, ...]:
    def order(item: tuple[str, list[Line]]) -> tuple[int, str]:
        return next((place for place, word in enumerate(FIRST) if word in item[0]), len(FIRST)), item[0]

    charts = []
    for title, lines in sorted(curves.items(), key=order):
        finite = [line for line in lines if any(is_finite((point,)) for point in line.points)]
        if max((len(line.points) for line in finite), default=0) > 1:
            charts.append(Chart(title, tuple(finite)))
    return tuple(charts)
