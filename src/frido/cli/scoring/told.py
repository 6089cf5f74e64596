"""What is left of a scoring: a table on the screen, and a file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frido.cli.scoring.sides import Side
from frido.contracts import atomic
from frido.contracts.errors import FridoError

if TYPE_CHECKING:
    from frido.metrics.evaluation import Result

FORMAT = "frido scores 1"
"""Begins every such file, and says that it may be replaced."""
WIDTH = 110


def check_out(out: Path) -> None:
    """Refuse a place where something else lies.

    Raises:
        FridoError: There is a folder, or a file that is no earlier scores.
    """
    if out.is_dir() or (out.exists() and _earlier(out) is None):
        got = "a folder" if out.is_dir() else "a file that holds no scores"
        do = f"out={out / 'scores.json' if out.is_dir() else out.with_name('scores.json')}"
        raise FridoError(f"out={out}", got=got, wanted="a place for a file", do=do)


def content(
    result: "Result", real: Side, generated: Side, partners: Sequence[int] | None, *, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the file holds, as plain JSON."""
    about = {"real": real.to_json(), "generated": generated.to_json(), "pairs": partners is not None}
    rows = generated.pictures if partners is None else real.pictures
    return {
        "format": FORMAT,
        **about,
        "scores": result.numbers,
        "cards": {name: {**card, **about} for name, card in result.cards.items()},
        "parts": {name: {part: asdict(one) for part, one in of.items()} for name, of in result.parts.items()},
        "rows": {rows[position].name: numbers for position, numbers in result.rows.items()},
        "provenance": dict(provenance),
    }


def write(out: Path, value: Mapping[str, Any]) -> None:
    """Write the file, and say where, and what it replaces."""
    before = _earlier(out)
    atomic.write_json(out, value)
    print(f"scores: {out}")
    if before is not None:
        print(f"  in place of those of {before['generated']['from']} against {before['real']['from']}")


def show(value: Mapping[str, Any]) -> None:
    """Print all numbers, and why others are missing."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    for side in ("real", "generated"):
        told = value[side]
        sizes = ", ".join(told["sizes"])
        console.print(f"{side}: {told['images']} images ({sizes}), {told['kind']} {told['from']}", markup=False)
    console.print("pairs: by name" if value["pairs"] else "pairs: none, the names on both sides are not the same")
    table = Table("number", "value", "n", "", box=box.SIMPLE_HEAD, show_edge=False)
    table.columns[1].justify = table.columns[2].justify = "right"
    for name, card in value["cards"].items():
        refused = card.get("refused")
        number = "" if refused else f"{value['scores'][name]:.4f}"
        count = card.get("images", card.get("counts", {}).get("scenes", ""))
        table.add_row(name, number, str(count), f"refused: {refused}" if refused else "")
    console.print(table)


def _earlier(out: Path) -> Any:
    """Return the scores that a file holds; `None` where it is none of ours, or not there."""
    try:
        found = json.loads(out.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("format") == FORMAT else None
