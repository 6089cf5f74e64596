"""Which numbers share a chart, and how fast a run was."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frido.report.plot import Chart, Curve, chart
from frido.report.run import Run, Series
from frido.report.table import CONTROL, is_final

SCALE = re.compile(r"[/_](?:scale[/_]?)?(\d+)$")
BAND = re.compile(r"/band(\d+)$")
SPEED = "images_per_second"
LIKE_SPEED = ("flops_per_second", "peak_share")
# Panels are in this order by the words in their names; anything else follows.
FIRST = ("loss", "recall", "precision", "fid", "is/", "psnr", "usage", "perplexity")
COLORS = 8


@dataclass(frozen=True, slots=True)
class Panels:
    title: str
    charts: tuple[Chart, ...]


def panels(runs: Sequence[Run], names: Sequence[str]) -> tuple[Panels, ...]:
    """Return the charts of everything logged more than once, by stage; runs overlaid when several."""
    quality: list[tuple[str, list[Curve]]] = []
    second: list[tuple[str, list[Curve]]] = []
    for title, curves in _together([(name, run.metrics) for name, run in zip(names, runs, strict=True)]).items():
        final = any(is_final(title, run) for run in runs)
        (quality if final else second).append((title, curves))
    shared: dict[Path, tuple[str, dict[str, Series]]] = {}
    for name, run in zip(names, runs, strict=True):
        if run.first_stage:
            shared.setdefault(run.first_stage.path, (name, run.first_stage.metrics))
    first = list(_together(list(shared.values())).items())
    groups = (
        ("Quality while training", quality),
        ("Second stage: denoiser", second),
        ("First stage: autoencoder", first),
    )
    made = (Panels(title, _charts(curves)) for title, curves in groups)
    return tuple(group for group in made if group.charts)


def throughput(runs: Sequence[Run], names: Sequence[str]) -> tuple[Chart, ...]:
    """Return the charts of `timing.jsonl`, both stages, without what has the shape of the speed's own curve."""

    def own(run: Run) -> dict[str, Series]:
        return {name: points for name, points in run.timing.items() if not name.endswith(LIKE_SPEED)}

    second = [(name, own(run)) for name, run in zip(names, runs, strict=True)]
    first = [(name, own(run.first_stage)) for name, run in zip(names, runs, strict=True) if run.first_stage]
    return _charts([*_together(second).items(), *_together(first).items()])


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


def _together(parts: Sequence[tuple[str, dict[str, Series]]]) -> dict[str, list[Curve]]:
    """Return `{panel: curves}`: scales and controls of one run share a panel, or runs share one per name."""
    found: dict[str, list[Curve]] = {}
    for column, (run, series) in enumerate(parts):
        for name, points in sorted(series.items()):
            if len(parts) > 1:
                found.setdefault(name, []).append(Curve(run, points, column % COLORS))
                continue
            panel, label = name, "model" if f"{name}_real" in series or f"{name}_shuffled" in series else name
            if control := CONTROL.search(name):
                panel, label = CONTROL.sub("", name), control[1]
            elif band := BAND.search(name):
                panel, label = (
                    BAND.sub("/bands of time", name),
                    "band 0, cleanest" if band[1] == "0" else f"band {band[1]}",
                )
            elif scale := SCALE.search(name):
                panel = SCALE.sub("", name)
                label = "scale 0, coarsest" if scale[1] == "0" else f"scale {scale[1]}"
            elif any(SCALE.sub("", other) == name for other in series if other != name):
                label = "all scales"
            curves = found.setdefault(panel, [])
            curves.append(Curve(label, points, len(curves) % COLORS))
    return found


def _charts(curves: Sequence[tuple[str, list[Curve]]]) -> tuple[Chart, ...]:
    def order(item: tuple[str, list[Curve]]) -> tuple[int, str]:
        return next((place for place, word in enumerate(FIRST) if word in item[0]), len(FIRST)), item[0]

    drawn = (chart(title, lines) for title, lines in sorted(curves, key=order) if max(len(c.points) for c in lines) > 1)
    return tuple(made for made in drawn if made)
