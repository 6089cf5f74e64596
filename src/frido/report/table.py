"""The final numbers of one or several runs, each beside its controls."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from frido.report.numbers import count, short
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


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric of one run; `place` is where the model stands between shuffled (0) and real (1), in per cent."""

    run: int
    value: str
    spread: str
    real: str
    shuffled: str
    ratio: str
    place: float | None
    images: str
    card: tuple[tuple[str, str], ...]
    refused: str


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
    cards = [dict(cell.card) for cell in cells if cell.card]
    keys = dict.fromkeys(key for card in cards for key in card)
    differs = tuple(key for key in keys if len({card.get(key) for card in cards}) > 1)
    return Row(name, better, meaning, cells, differs)


def _cell(name: str, index: int, run: Run) -> Cell:
    controls = {"real": math.nan, "shuffled": math.nan, "std": math.nan}
    for other, points in run.metrics.items():
        found = CONTROL.search(other)
        if found and CONTROL.sub("", other) == name:
            controls[found[1]] = points[-1][1]
    points = run.metrics.get(name, ())
    value = points[-1][1] if points else math.nan
    real, shuffled = controls["real"], controls["shuffled"]
    card = card_of(name, run)
    place = (value - shuffled) / (real - shuffled) if real != shuffled else math.nan
    return Cell(
        run=index,
        value=short(value) if points else "–",
        spread=_shown(controls["std"]),
        real=_shown(real),
        shuffled=_shown(shuffled),
        ratio=f"{value / shuffled:.1f} ×" if points and shuffled > 0 and math.isfinite(value) else "",
        place=round(100 * min(max(place, 0.0), 1.0), 1) if math.isfinite(place) else None,
        images=count(points[-1][0]) if points else "",
        card=tuple((key, say(leaf)) for key, leaf in flat(card) if key not in TOLD),
        refused=refusal(run.evaluation.get(name, {})),
    )


def _shown(value: float) -> str:
    return "" if math.isnan(value) else short(value)
