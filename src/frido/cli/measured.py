"""What was measured of some samples: `evaluation.json` and `breakdown.json`."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from frido.contracts import atomic
from frido.metrics.evaluation import Result

TOLD = ("split", "sampler", "steps", "guidance", "teacher_forcing", "ema", "seed", "images_seen")
"""What a card says of how the samples were drawn, in the words of their `protocol.json`."""


def add(folder: Path, result: Result, protocol: Mapping[str, Any]) -> None:
    """Add numbers to those that stand in `folder`; of the same name, they replace them.

    A refusal goes when its number comes, whatever the count of images in the number's name.

    Args:
        folder: A run directory, or a folder of samples.
        result: What was measured.
        protocol: How the samples were drawn.
    """
    told = {name: protocol[name] for name in TOLD if name in protocol}
    new = {name: {**card, **told, **_notes(card, protocol)} for name, card in result.cards.items()}
    again = {_stem(name) for name in new}
    file = folder / "evaluation.json"
    old = {name: card for name, card in _read(file).items() if "value" in card or _stem(name) not in again}
    atomic.write_json(file, old | new)

    file = folder / "breakdown.json"
    there = _read(file)
    parts = {name: {part: asdict(value) for part, value in of.items()} for name, of in result.parts.items()}
    rows = there.get("rows", {})
    for position, numbers in result.rows.items():
        rows[str(position)] = rows.get(str(position), {}) | numbers
    if there or parts or rows:
        atomic.write_json(file, {"parts": there.get("parts", {}) | parts, "rows": rows})


def _notes(card: Mapping[str, Any], protocol: Mapping[str, Any]) -> dict[str, str | None]:
    notes = [note for note in (card.get("note"), protocol["note"]) if note]
    return {"note": "; ".join(notes) or None}


def _stem(name: str) -> str:
    return name.partition("@")[0]


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text()) if file.exists() else {}
