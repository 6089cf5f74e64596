"""What studies were to answer: their questions, the margins that were written down before, and the verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from frido.contracts.errors import FridoError
from frido.report.comparison import compare
from frido.report.section import Section, Subject
from frido.report.slug import Slugs
from frido.report.study import Study
from frido.report.verdicts import digits


@dataclass(frozen=True, slots=True)
class Line:
    """One arm and one number; all words."""

    metric: str
    better: str
    arm: str
    difference: str
    interval: str
    margin: str
    kind: str
    says: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A study's verdicts. `refused` says why there are none; `left_out` what they do not rest on."""

    name: str
    question: str
    reference: str
    confidence: str
    correction: str
    lines: tuple[Line, ...]
    charts: tuple[tuple[str, str, str], ...]
    left_out: tuple[str, ...]
    refused: str


def section(subject: Subject) -> Section | None:
    """Return the studies that compare something."""
    asked = [study for study in subject.studies if study.told.get("comparison")]
    if not asked:
        return None
    slugs = Slugs("verdicts")
    answers: list[Answer] = []
    data: dict[str, Any] = {}
    for study in asked:
        found, drawn = answer(study, slugs, colors(study, subject))
        answers.append(found)
        data |= drawn
    return Section(
        id="verdicts",
        title="What the studies say" if len(asked) > 1 else "What the study says",
        link="Verdicts",
        partial="answers.html.j2",
        values={"answers": answers},
        data=data,
        scripts=("answers.js",),
        styles=("answers.css",),
    )


def colors(study: Study, subject: Subject) -> dict[str, int]:
    """Return the colour of each arm that has a run on the page."""
    arms = {job.directory: job.arm for job in study.jobs}
    return {arms[member.run.path]: member.color for member in subject.members if member.run.path in arms}


def answer(study: Study, slugs: Slugs, colors: Mapping[str, int]) -> tuple[Answer, dict[str, Any]]:
    """Return a study's answer, and the charts of its paired differences by id."""
    asked = study.told["comparison"]
    try:
        results = compare(study.path)
    except FridoError as error:
        nothing = Answer(study.name, study.question, study.reference, "", "", (), (), (), str(error))
        return nothing, {}
    rows = results["comparisons"]
    charts: list[tuple[str, str, str]] = []
    data: dict[str, Any] = {}
    for metric in asked["metrics"]:
        own = [row for row in rows if row["metric"] == metric]
        if any(row["differences"] for row in own):
            name = slugs.of(f"{study.name} {metric}")
            charts.append((name, metric, own[0]["better"]))
            data[name] = _chart(metric, study.reference, own, colors)
    return (
        Answer(
            name=study.name,
            question=study.question,
            reference=study.reference,
            confidence=f"{100 * asked['confidence']:g} %",
            correction=str(asked["correction"]),
            lines=tuple(_line(row) for row in rows),
            charts=tuple(charts),
            left_out=tuple(
                [f"{one['arm']}, seed {one['seed']}: no run ({one['why']})" for one in results["missing"]]
                + [f"{one['metric']} of {one['arm']}, seed {one['seed']}: {one['why']}" for one in results["refused"]]
            ),
            refused="",
        ),
        data,
    )


def _line(row: dict[str, Any]) -> Line:
    decimals = digits(row["margin"])
    interval = row["interval"]
    return Line(
        metric=row["metric"],
        better=row["better"],
        arm=row["arm"],
        difference="–" if row["mean"] is None else f"{row['mean']:+.{decimals}f}",
        interval=f"{interval[0]:+.{decimals}f} to {interval[1]:+.{decimals}f}" if interval else "–",
        margin=f"±{row['margin']:g}",
        kind=row["verdict"],
        says=row["says"],
    )


def _chart(metric: str, reference: str, rows: list[dict[str, Any]], colors: Mapping[str, int]) -> dict[str, Any]:
    keys = ("arm", "differences", "seeds", "mean", "interval", "says")
    return {
        "title": f"{metric}, arm minus {reference}",
        "margin": rows[0]["margin"],
        "better": rows[0]["better"],
        "rows": [{key: row[key] for key in keys} | {"color": colors.get(row["arm"], 0)} for row in rows],
    }
