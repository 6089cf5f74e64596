"""What a reader must be told before believing a number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from frido.report.numbers import count
from frido.report.run import Run
from frido.report.table import CONTROL, Row

ABSENT = {
    "config.yaml": "the settings",
    "metrics.jsonl": "curves and final numbers",
    "provenance.json": "command, commit and versions",
    "samples": "pictures beside their scene graphs",
    "evaluation.json": "how the numbers were measured",
    "checkpoints": "trained weights",
}

WRITTEN_BY = {
    "metrics.jsonl": "denoiser",
    "checkpoints": "denoiser",
    "samples": "sample",
    "evaluation.json": "evaluate",
}
"""Stages that leave these; of a run that was not asked for the stage they are not missed."""

LOST = "data/lost"
NAMED = 4  # runs that a note of several names


@dataclass(frozen=True, slots=True)
class Note:
    """`level` is "warning" (changes what the numbers mean) or "note" (something is not here)."""

    level: str
    run: str
    text: str


def notes(runs: Sequence[Run], names: Sequence[str], rows: Sequence[Row]) -> tuple[Note, ...]:
    """Return all warnings, then all notes; each text once per run."""
    found: dict[Note, None] = {}
    for name, run in zip(names, runs, strict=True):
        for level, text in [*_protocols(run), *_numbers(run), *_absent(run)]:
            found[Note(level, name, text)] = None
    for row in rows:
        if row.differs:
            text = f"{row.name} was not measured alike ({', '.join(row.differs)} differ): these numbers do not compare."
            found[Note("warning", "", text)] = None
    return tuple(sorted(found, key=lambda note: note.level != "warning"))


@dataclass(frozen=True, slots=True)
class Told:
    """A note and whose it is: "", one name, or several in words."""

    level: str
    whose: str
    text: str


def together(found: Sequence[Note], *, of: int) -> tuple[Told, ...]:
    """Return notes with those of one text as one, in their order.

    Args:
        found: Notes of all runs.
        of: How many runs there are.
    """
    whose: dict[tuple[str, str], list[str]] = {}
    for note in found:
        whose.setdefault((note.level, note.text), []).append(note.run)
    return tuple(Told(level, named(runs, of=of), text) for (level, text), runs in whose.items())


def named(runs: Sequence[str], *, of: int) -> str:
    """Return some of `of` runs in words."""
    if len(runs) == of > 1:
        return f"all {of} runs"
    return ", ".join(runs[:NAMED]) + (f" and {len(runs) - NAMED} more" if len(runs) > NAMED else "")


def is_first_stage_alone(run: Run) -> bool:
    """Return whether a run has no second stage, and none was asked for."""
    return run.images_seen == 0 and not run.asked_for("denoiser")


def status(run: Run) -> tuple[str, str]:
    """Return `(kind, words)`: how far a run has come, by its files alone. Kinds: done, partial, none."""
    if is_first_stage_alone(run):
        return ("done", "first stage finished") if run.first_stage else ("none", "no first stage yet")
    if run.budget and run.images_seen < run.budget:
        return "partial", f"trained on {count(run.images_seen)} of {count(run.budget)} images"
    if run.images_seen == 0:
        return "none", "not trained yet"
    missing = [word for word, part in (("sampled", run.samples), ("evaluated", run.evaluation)) if not part]
    return ("partial", f"trained, not {' or '.join(missing)}") if missing else ("done", "finished")


def _protocols(run: Run) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    data = run.provenance.get("data")
    if isinstance(data, dict) and data.get("evaluation"):
        told.append(("warning", f"Data: {data['evaluation']}"))
    for samples in run.samples.values():
        if note := samples.protocol.get("note"):
            # A person's own scenes have no real images, and no number rests on them.
            told.append(("warning" if any(samples.real) else "note", f"Samples {samples.tag}: {note}"))
    of_samples = [samples.protocol.get("note") for samples in run.samples.values()]
    spoken = _spoken(run.evaluation, but=of_samples)
    told += [("warning", f"{_listing(names)}: {text}") for text, names in spoken.items()]
    for samples in run.samples.values():
        others = _spoken(samples.evaluation, but=of_samples)
        told += [
            ("warning", f"Samples {samples.tag}, {_listing(n)}: {t}") for t, n in others.items() if t not in spoken
        ]
    of_first = run.first_stage.evaluation.values() if run.first_stage else ()
    told += [("warning", f"First stage: {card['note']}") for card in of_first if card.get("note")]
    git = run.provenance.get("git")
    if isinstance(git, dict) and git.get("dirty"):
        told.append(("note", "The code had changes that were not committed; the diff is under provenance."))
    return told


def _spoken(cards: dict[str, dict[str, Any]], *, but: Sequence[str | None]) -> dict[str, list[str]]:
    """Return what cards say in words, except for `but`, and the metrics that say it."""
    spoken: dict[str, list[str]] = {}
    for name, card in cards.items():
        for key in ("warning", "note", "refused"):
            if card.get(key) and card[key] not in but:
                spoken.setdefault(f"{'no number, ' if key == 'refused' else ''}{card[key]}", []).append(name)
    return spoken


def _listing(names: list[str]) -> str:
    """Return the metrics of one sentence, controls under their metric's own name."""
    bases = list(dict.fromkeys(CONTROL.sub("", name) for name in names))
    return ", ".join(bases[:3]) + (f" and {len(bases) - 3} more" if len(bases) > 3 else "")


def _numbers(run: Run) -> list[tuple[str, str]]:
    told = []
    for name, points in run.metrics.items():
        broken = [images for images, value in points if not math.isfinite(value)]
        if broken:
            told.append(("warning", f"{name} was not finite {len(broken)} times, first at {count(broken[0])} images."))
    for stage, of in (("", run), ("First stage: ", run.first_stage)):
        lost = int(of.metrics[LOST][-1][1]) if of and LOST in of.metrics else 0
        if lost:
            one = f"{count(lost)} training samples could not be read and others stood in for them"
            told.append(("warning", f"{stage}{one}; lost.jsonl names each."))
    if run.torn:
        told.append(
            ("note", "The last line of metrics.jsonl was torn (the run was stopped while writing) and is left out.")
        )
    return told


def _absent(run: Run) -> list[tuple[str, str]]:
    return [
        (
            "note",
            f"{part} is not in the run directory: {ABSENT.get(part, 'the output of a linked stage')} cannot be shown.",
        )
        for part in run.absent
        if part not in WRITTEN_BY or run.asked_for(WRITTEN_BY[part])
    ]
