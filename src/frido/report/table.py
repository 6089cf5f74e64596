"""The final numbers of one or several runs, each beside its controls."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from frido.report.run import Run

CONTROL = re.compile(r"_(real|shuffled|std)(?=/|@|$)")

# family of a metric -> (better way, what it is); the family is the name up to "/" or "@", "judge" with the next word
FAMILIES = {
    "judge/recall": ("higher", "conditioned objects that the judge finds in the picture"),
    "judge/precision": ("higher", "objects in the picture that the condition asked for"),
    "judge/relations": ("higher", "conditioned relationships that hold in the picture"),
    "judge": ("higher", "score of the scene judge"),
    "fid": ("lower", "Fréchet distance to real images"),
    "kid": ("lower", "kernel distance to real images"),
    "is": ("higher", "Inception Score"),
    "psnr": ("higher", "reconstruction, decibel"),
    "ssim": ("higher", "reconstruction, structural similarity"),
    "clip": ("higher", "agreement of picture and caption"),
}

TOLD = ("value", "note", "warning", "refused")  # keys of a card that the page says in other places
OUTCOMES = ("seed", "images_seen", "interval", "deviation", "objects", "relations", "seconds")
"""Last words of a card's keys that may differ between numbers that compare."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric of one run; numbers that there are not are `None`.

    `run` is its place among the runs, `place` where the model stands between shuffled (0) and real (1), in per cent.
    `low` and `high` are the ends of an interval, as the card gives it, or a deviation to both sides.
    """

    run: int
    value: float | None
    spread: float | None
    low: float | None
    high: float | None
    real: float | None
    shuffled: float | None
    ratio: str
    place: float | None
    images: int | None
    card: tuple[tuple[str, str], ...]
    refused: str

    @property
    def measured(self) -> bool:
        """Whether the run has anything to say of the metric."""
        return self.value is not None or bool(self.card) or bool(self.refused)


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    better: str
    meaning: str
    cells: tuple[Cell, ...]
    differs: tuple[str, ...]
    """Keys in which the runs' cards differ: then the numbers do not compare."""


def rows(runs: Sequence[Run]) -> tuple[Row, ...]:
    """Return a row for every metric that any run evaluated, those without a number included."""
    names: dict[str, None] = {}
    for run in runs:
        for name in [*run.metrics, *run.evaluation]:
            if _listed(name, run):
                names[CONTROL.sub("", name)] = None
    return tuple(_row(name, runs) for name in sorted(names, key=_order))


def is_final(name: str, run: Run) -> bool:
    """Whether a name is a score of the pictures, rather than of the training."""
    return bool(card_of(CONTROL.sub("", name), run)) or (_family(name) is not None and "/loss" not in name)


def card_of(name: str, run: Run) -> dict[str, Any]:
    """Return the card of a metric: its own, or the one that covers its family ("judge" for "judge/recall")."""
    covering = [key for key in run.evaluation if name == key or name.startswith((f"{key}/", f"{key}@"))]
    return run.evaluation[max(covering, key=len)] if covering else {}


def refusal(card: dict[str, Any]) -> str:
    """Return why a card gives no number, in its own words."""
    return str(card.get("refused") or "")


def flat(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested settings as `(dotted key, leaf)`; lists are leaves."""
    if isinstance(value, dict) and value:
        return [leaf for key, inner in value.items() for leaf in flat(inner, f"{prefix}.{key}" if prefix else str(key))]
    return [(prefix, value)] if prefix else []


def say(value: Any) -> str:
    """Return a setting as a person writes it: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _listed(name: str, run: Run) -> bool:
    """Whether a name has its place in the table: scores with a card, and scores that no curve can show."""
    if name in run.evaluation and _covers_others(name, run):
        return False
    base = CONTROL.sub("", name)
    lone = len(run.metrics.get(base, ())) <= 1 or not run.evaluation
    return is_final(name, run) and (lone or bool(card_of(base, run)))


def _covers_others(name: str, run: Run) -> bool:
    """Whether `name` is the card of a family whose members are in the metrics under longer names."""
    return name not in run.metrics and any(other.startswith((f"{name}/", f"{name}@")) for other in run.metrics)


def _family(name: str) -> str | None:
    words = re.split(r"[/@]", CONTROL.sub("", name))
    head, two = words[0], "/".join(words[:2])
    return next((family for family in (two, head) if family in FAMILIES), None)


def _order(name: str) -> tuple[int, str]:
    family = _family(name)
    return (list(FAMILIES).index(family) if family else len(FAMILIES), name)


def _row(name: str, runs: Sequence[Run]) -> Row:
    better, meaning = FAMILIES.get(_family(name) or "", ("", ""))
    cells = tuple(_cell(name, index, run) for index, run in enumerate(runs))
    return Row(name, better, meaning, cells, differing([protocol(cell.card) for cell in cells if cell.card]))


def protocol(card: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return what of a flattened card must be equal for two numbers to compare."""
    return {key: value for key, value in card if key.rpartition(".")[2] not in OUTCOMES}


def differing(protocols: Sequence[dict[str, str]]) -> tuple[str, ...]:
    """Return the keys in which protocols are not all equal."""
    keys = dict.fromkeys(key for each in protocols for key in each)
    return tuple(key for key in keys if len({each.get(key) for each in protocols}) > 1)


def _cell(name: str, index: int, run: Run) -> Cell:
    controls: dict[str, float | None] = {"real": None, "shuffled": None, "std": None}
    for other, points in run.metrics.items():
        found = CONTROL.search(other)
        if found and CONTROL.sub("", other) == name:
            controls[found[1]] = finite(points[-1][1])
    points = run.metrics.get(name, ())
    value = points[-1][1] if points else None
    real, shuffled = controls["real"], controls["shuffled"]
    card = card_of(name, run)
    low, high = _interval(run.evaluation.get(name, {}), value, controls["std"])
    return Cell(
        run=index,
        value=value,
        spread=controls["std"],
        low=low,
        high=high,
        real=real,
        shuffled=shuffled,
        ratio=f"{value / shuffled:.1f} ×" if finite(value) is not None and value and shuffled and shuffled > 0 else "",
        place=_between(finite(value), shuffled, real),
        images=points[-1][0] if points else None,
        card=tuple((key, say(leaf)) for key, leaf in flat(card) if key not in TOLD),
        refused=refusal(run.evaluation.get(name, {})),
    )


def _interval(card: dict[str, Any], value: float | None, spread: float | None) -> tuple[float | None, float | None]:
    told = card.get("interval")
    if isinstance(told, list) and len(told) == 2 and all(isinstance(end, int | float) for end in told):
        return float(told[0]), float(told[1])
    if value is None or spread is None:
        return None, None
    return value - spread, value + spread


def _between(value: float | None, shuffled: float | None, real: float | None) -> float | None:
    if value is None or shuffled is None or real is None or real == shuffled:
        return None
    return round(100 * min(max((value - shuffled) / (real - shuffled), 0.0), 1.0), 1)


def finite(value: float | None) -> float | None:
    """Return the value, `None` where it is no number."""
    return value if value is not None and math.isfinite(value) else None
