"""A study's findings for its README: the table of verdicts in Markdown, and the figure of paired differences."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frido.contracts import atomic
from frido.report.comparison import compare
from frido.report.template import filled
from frido.report.verdicts import digits

WIDTH, LEFT, RIGHT, ROW, HEAD, FOOT = 720, 150, 24, 30, 30, 42
"""Of the figure, in pixels: all of it, its margins, the height of an arm, and what stands above and below the arms."""


def write(folder: Path, out: Path) -> str:
    """Write what the study in `folder` found to `out`, and the figure beside it as `.svg`; return the table.

    Raises:
        FridoError: As `frido.report.comparison.compare` does.
    """
    results = compare(folder)
    atomic.write_json(out, results)
    atomic.write_text(out.with_suffix(".svg"), figure(results))
    return table(results)


def table(results: Mapping[str, Any]) -> str:
    """Return the verdicts as a table in Markdown, and below it what is not in it.

    Args:
        results: As `frido.report.comparison.compare` returns them.
    """
    asked = results["comparison"]
    level = f"{100 * asked['confidence']:g} %"
    head = ["number", "arm", asked["reference"], "arm's mean", f"difference, {level}", "margin", "p", "verdict"]
    lines = [head, ["---"] * len(head), *(_cells(row, results) for row in results["comparisons"])]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return "\n".join([text, "", _rests_on(asked, level), *_left_out(results)]) + "\n"


def figure(results: Mapping[str, Any]) -> str:
    """Return the paired differences as SVG: a dot per seed, means with intervals, the margins as a band.

    Args:
        results: As `frido.report.comparison.compare` returns them.
    """
    rows = results["comparisons"]
    metrics = [metric for metric in results["comparison"]["metrics"] if any(row["metric"] == metric for row in rows)]
    panels, top = [], 0
    for metric in metrics:
        panel = _panel(metric, [row for row in rows if row["metric"] == metric], top)
        panels.append(panel)
        top += panel["height"]
    reference = results["comparison"]["reference"]
    level = f"{100 * results['comparison']['confidence']:g} %"
    return filled(
        "findings.svg.j2",
        {"panels": panels, "width": WIDTH, "height": top, "left": LEFT, "right": WIDTH - RIGHT}
        | {"reference": reference, "level": level, "title": results["comparison"]["question"]},
    )


def _cells(row: Mapping[str, Any], results: Mapping[str, Any]) -> list[str]:
    decimals = digits(row["margin"])
    values = results["numbers"].get(row["metric"], {})

    def mean(arm: str) -> str:
        own = [values[arm][str(seed)] for seed in row["seeds"]]
        return f"{sum(own) / len(own):.{decimals}f}" if own else "–"

    difference, p = "–", "–"
    if row["mean"] is not None:
        difference = f"{row['mean']:+.{decimals}f}"
    if row["interval"]:
        low, high = row["interval"]
        difference += f" [{low:+.{decimals}f}, {high:+.{decimals}f}]"
        p = f"{_p(row['corrected']['difference'])}, {_p(row['corrected']['equivalence'])}"
    verdict = row["verdict"] + (", beyond the margin" if row["beyond"] else "")
    if row["verdict"] == "cannot tell" and row["told_from"] is not None:
        verdict += f" below {row['told_from']:.{decimals}f}"
    count, planned = len(row["seeds"]), len(row["seeds"]) + len(row["missing_seeds"])
    verdict += f" ({count} of {planned} seeds)" if count < planned else ""
    name = f"`{row['metric']}` ({row['better']} is better)"
    return [name, row["arm"], mean(row["reference"]), mean(row["arm"]), difference, f"±{row['margin']:g}", p, verdict]


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _rests_on(asked: Mapping[str, Any], level: str) -> str:
    corrected = {
        "holm": "corrected by Holm over arms and numbers, for either claim separately",
        "none": "not corrected for their number",
    }[asked["correction"]]
    return (
        f"Differences are paired by seed; {level} intervals are Student's t over seeds, each for itself. "
        f"p: of no difference, and of one as large as the margin or larger (two one-sided tests), {corrected}; "
        f"verdicts are by these at {1 - asked['confidence']:.2g}. "
        "Cannot tell below X: with this noise a difference had to be X to be told from none."
    )


def _left_out(results: Mapping[str, Any]) -> list[str]:
    """Return what is missing or refused, a line of Markdown for all seeds of one reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in results["missing"]:
        reasons.setdefault((one["arm"], f"no run ({one['why']})"), []).append(str(one["seed"]))
    for one in results["refused"]:
        reasons.setdefault((f"`{one['metric']}` of {one['arm']}", one["why"]), []).append(str(one["seed"]))
    lines = [
        f"- {whose}, seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}: {why}"
        for (whose, why), seeds in reasons.items()
    ]
    return ["", "Left out:", "", *lines] if lines else []


def _panel(metric: str, rows: Sequence[Mapping[str, Any]], top: int) -> dict[str, Any]:
    margin = rows[0]["margin"]
    reach = [2 * margin]
    for row in rows:
        reach += [abs(value) for value in (*row["differences"], *(row["interval"] or ()))]
    most = 1.05 * max(reach)

    def x(value: float) -> float:
        return round(LEFT + (value + most) / (2 * most) * (WIDTH - RIGHT - LEFT), 1)

    bottom = top + HEAD + ROW * len(rows)
    return {
        "metric": metric,
        "better": "right" if rows[0]["better"] == "higher" else "left",
        "top": top + HEAD,
        "bottom": bottom,
        "height": HEAD + ROW * len(rows) + FOOT,
        "band": [x(-margin), x(margin)],
        "zero": x(0.0),
        "ticks": [(x(value), _tick(value, margin)) for value in _ticks(most)],
        "rows": [_drawn(row, top + HEAD + ROW * (place + 0.5), x) for place, row in enumerate(rows)],
    }


def _drawn(row: Mapping[str, Any], y: float, x: Any) -> dict[str, Any]:
    return {
        "arm": row["arm"],
        "y": y,
        "dots": [x(value) for value in row["differences"]],
        "mean": None if row["mean"] is None else x(row["mean"]),
        "interval": [x(end) for end in row["interval"]] if row["interval"] else None,
        "says": row["says"],
    }


def _ticks(most: float) -> list[float]:
    """Return round places on both sides of 0, two or three to a side."""
    power = 10 ** math.floor(math.log10(most))
    step = next(size * power for size in (5.0, 2.0, 1.0, 0.5, 0.25, 0.2) if 2 * size * power <= most)
    count = int(most / step)
    return [step * place for place in range(-count, count + 1)]


def _tick(value: float, margin: float) -> str:
    text = f"{value:+.{digits(margin)}f}" if value else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text
