"""What paired runs of a study say about each arm and each number, by margins that were written down before."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from frido.report.paired import Paired, half_width, holm, paired

Numbers = Mapping[str, Mapping[str, Mapping[int, float]]]
"""`{metric: {arm: {seed: value}}}`."""

KINDS = ("difference", "equivalence", "beyond")
"""What is tested of each arm and number; see `Paired`."""


@dataclass(frozen=True, slots=True)
class Margin:
    """How large a difference of one number matters, in its unit, and which way is the better one."""

    margin: float
    better: Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a study wants to know; as its YAML says.

    `confidence` is that of the intervals, and one minus it the level of all tests. With `correction` "holm" this level
    holds for all arms and numbers together, for claims of a difference and for claims of none separately.
    """

    question: str
    reference: str
    confidence: float
    correction: Literal["holm", "none"]
    metrics: Mapping[str, Margin]


CORRECTIONS: dict[str, Callable[[Sequence[float]], list[float]]] = {"holm": holm, "none": list}


def verdicts(numbers: Numbers, asked: Asked, *, arms: Sequence[str], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Return a row for every arm but the reference, for every number.

    A pair are two runs of one seed, which share data, order, noise and conditions: what a seed does to both sides is
    no part of their difference. Intervals are of Student's t over these differences, so they are about training anew
    with another seed. Nothing is drawn again from the images of a run: a bootstrap of FID is biased.

    Args:
        numbers: Of finished runs that were measured alike.
        asked: Margins and level.
        arms: Of the study, in order.
        seeds: That every arm was to have.
    """
    places = [(metric, arm) for metric in asked.metrics for arm in arms if arm != asked.reference]
    pairs = {place: _pairs(numbers, *place, asked.reference) for place in places}
    found = {
        place: paired(list(by_seed.values()), margin=asked.metrics[place[0]].margin)
        for place, by_seed in pairs.items()
        if by_seed
    }
    corrected: dict[tuple[str, str], dict[str, float]] = {place: {} for place in found}
    tested = [place for place in found if len(pairs[place]) > 1]
    for kind in KINDS:
        by_place = CORRECTIONS[asked.correction]([getattr(found[place], kind) for place in tested])
        for place, value in zip(tested, by_place, strict=True):
            corrected[place][kind] = value
    return [
        _row(place, pairs[place], found.get(place), corrected.get(place, {}), asked, tests=len(tested), seeds=seeds)
        for place in places
    ]


def _pairs(numbers: Numbers, metric: str, arm: str, reference: str) -> dict[int, float]:
    """Return arm minus reference by seed, for the seeds that both have."""
    values = numbers.get(metric, {})
    own, others = values.get(arm, {}), values.get(reference, {})
    return {seed: own[seed] - others[seed] for seed in sorted(own) if seed in others}


def _row(
    place: tuple[str, str],
    pairs: Mapping[int, float],
    found: Paired | None,
    corrected: Mapping[str, float],
    asked: Asked,
    *,
    tests: int,
    seeds: Sequence[int],
) -> dict[str, Any]:
    metric, arm = place
    margin, alpha, count = asked.metrics[metric], 1 - asked.confidence, len(pairs)
    row: dict[str, Any] = {
        "metric": metric,
        "arm": arm,
        "reference": asked.reference,
        "margin": margin.margin,
        "better": margin.better,
        "seeds": list(pairs),
        "missing_seeds": [seed for seed in seeds if seed not in pairs],
        "differences": list(pairs.values()),
        "mean": found.mean if found else None,
        **dict.fromkeys(("deviation", "interval", "equivalence_interval", "told_from")),
        "p": {},
        "corrected": dict(corrected),
        "verdict": "cannot tell",
        "beyond": False,
    }
    if found and found.deviation is not None:
        both, each = (
            half_width(found.deviation, count=count, confidence=share) for share in (1 - alpha, 1 - 2 * alpha)
        )
        strict = 1 - alpha / (tests if asked.correction == "holm" else 1)
        row |= {
            "deviation": found.deviation,
            "interval": [found.mean - both, found.mean + both],
            "equivalence_interval": [found.mean - each, found.mean + each],
            "told_from": half_width(found.deviation, count=count, confidence=strict),
            "p": {kind: getattr(found, kind) for kind in KINDS},
        }
        row |= _verdict(found.mean, corrected, margin, alpha)
    return {**row, "says": _says(row, asked)}


def _verdict(mean: float, p: Mapping[str, float], margin: Margin, alpha: float) -> dict[str, Any]:
    """Return the verdict. A difference that is there but does not matter is equivalence."""
    if p["equivalence"] < alpha:
        return {"verdict": "equivalent"}
    if p["difference"] < alpha:
        good = (mean > 0) == (margin.better == "higher")
        return {"verdict": "better" if good else "worse", "beyond": p["beyond"] < alpha}
    return {}


def _says(row: Mapping[str, Any], asked: Asked) -> str:
    """Return a row's verdict in words, with what it rests on."""
    count, planned = len(row["seeds"]), len(row["seeds"]) + len(row["missing_seeds"])
    seeds = f"{count} of {planned} seeds" if row["missing_seeds"] else f"{count} seeds"
    if row["interval"] is None:
        return f"cannot tell: {seeds}; an interval needs at least 2"

    def number(value: float) -> str:
        return f"{value:.{digits(row['margin'])}f}"

    def signed(value: float) -> str:
        return f"{value:+.{digits(row['margin'])}f}"

    low, high = row["interval"]
    difference = f"{signed(row['mean'])} [{signed(low)}, {signed(high)}], {seeds}"
    margin = f"the margin of {number(row['margin'])}"
    apart = row["corrected"]["difference"] < 1 - asked.confidence
    if row["verdict"] == "equivalent":
        return f"equivalent: {difference}; {'there is a difference, ' if apart else ''}within {margin}"
    if row["verdict"] in ("better", "worse"):
        return f"{row['verdict']}: {difference}; {'beyond' if row['beyond'] else 'perhaps within'} {margin}"
    excludes = low > 0 or high < 0
    corrected = ", no longer apart from 0 once corrected for the number of comparisons" if excludes else ""
    return (
        f"cannot tell: {difference}{corrected}; this noise lets a difference from {number(row['told_from'])} on be told"
    )


def digits(margin: float) -> int:
    """Return how many decimals tell differences that are small against a margin."""
    return max(0, 2 - math.floor(math.log10(margin)))
