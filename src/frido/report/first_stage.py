"""The finished first stages of the runs, side by side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from frido.report.curves import CODES, SCALE
from frido.report.notes import named
from frido.report.numbers import count, short
from frido.report.run import Run
from frido.report.section import Section, Subject
from frido.report.table import flat, refusal, say

# what a number is, by its name without "held_out/", scale and protocol: (better way, meaning); rows are in this order
MEANINGS = {
    "psnr": ("higher", "decibel"),
    "ssim": ("higher", "structural similarity"),
    "lpips": ("lower", "distance as people see it"),
    "rfid": ("lower", "Fréchet distance of reconstructions to originals"),
    "rkid": ("lower", "kernel distance of reconstructions to originals"),
    "psnr_alone": ("", "decibel, of what one scale draws without the others"),
    "perplexity": ("higher", "effective number of codes"),
    "usage": ("higher", "share of codes in use"),
    "dead_codes": ("lower", "codes that no image uses"),
    "parameters": ("", ""),
    "images_per_second": ("", "while training"),
}
TOLD = ("value", "images", "split", "note", "refused")  # keys of a card that the table says in other places


@dataclass(frozen=True, slots=True)
class Column:
    """One first stage; `runs` are all that share it."""

    runs: str
    measured: str


@dataclass(frozen=True, slots=True)
class Row:
    """One number; `values` has `(value, why there is none, card)` per column."""

    name: str
    better: str
    meaning: str
    values: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True, slots=True)
class FirstStages:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def section(subject: Subject) -> Section | None:
    """Return the first stages, where any was measured."""
    found = first_stages(subject.runs, subject.names)
    first = replace(found, rows=tuple(row for row in found.rows if not CODES.search(row.name)))  # they are elsewhere
    if not first.rows:
        return None
    title = "First stage: held-out images there and back"
    return Section("first", title, "First stage", "first_stage.html.j2", {"first": first})


def first_stages(runs: Sequence[Run], names: Sequence[str]) -> FirstStages:
    """Return the table of all first stages that left `evaluation.json`, each once."""
    shared: dict[object, tuple[Run, list[str]]] = {}
    for run, name in zip(runs, names, strict=True):
        if run.first_stage and run.first_stage.evaluation:
            shared.setdefault(run.first_stage.path, (run.first_stage, []))[1].append(name)
    stages = [stage for stage, _ in shared.values()]
    listed = dict.fromkeys(name for stage in stages for name in stage.evaluation)
    return FirstStages(
        columns=tuple(Column(named(sharing, of=len(runs)), _measured(stage)) for stage, sharing in shared.values()),
        rows=tuple(_row(name, stages) for name in sorted(listed, key=_order)),
    )


def _measured(stage: Run) -> str:
    """Return on what the numbers were measured."""
    cards = [card for card in stage.evaluation.values() if {"images", "split"} <= card.keys()]
    return f"on {count(cards[0]['images'])} images of {cards[0]['split']}" if cards else ""


def _row(name: str, stages: Sequence[Run]) -> Row:
    better, meaning = MEANINGS.get(_word(name), ("", ""))
    return Row(name.removeprefix("held_out/"), better, meaning, tuple(_value(name, stage) for stage in stages))


def _value(name: str, stage: Run) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    card = stage.evaluation.get(name, {})
    value = card.get("value")
    shown = short(value) if isinstance(value, int | float) else "–"
    return shown, refusal(card), tuple((key, say(leaf)) for key, leaf in flat(card) if key not in TOLD)


def _word(name: str) -> str:
    return re.split(r"[/@]", SCALE.sub("", name.removeprefix("held_out/")))[0]


def _order(name: str) -> tuple[int, str]:
    words = list(MEANINGS)
    return (words.index(_word(name)) if _word(name) in words else len(words), name)
