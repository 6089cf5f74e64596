"""What was packed, in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SHOWN_UNREADABLE = 20

LEFT = ("kept", "stored")
"""Rows of the table of filters that say what is left of a split."""


def summary(out: Path, report: Mapping[str, Any]) -> list[str]:
    """Return lines that say where it was written, how much, and what every filter dropped."""
    lines = [f"wrote {out}"]
    if "splits" not in report:
        return [*lines, f"  images: {_counts(report['images'])}"]
    lines.append(f"  scenes: {_counts({split: part['scenes'] for split, part in report['splits'].items()})}")
    lines.append(f"  words: {_counts({kind: len(words) for kind, words in report['vocabulary'].items()})}")
    lines += filter_table(report["filters"])
    if report["unreadable"]:
        lines.append(f"  {len(report['unreadable'])} images could not be read and were left out:")
        lines += [f"    {image['name']}: {image['reason']}" for image in report["unreadable"][:SHOWN_UNREADABLE]]
    if report["evaluation"]:
        lines.append(f"  note: {report['evaluation']}")
    return [*lines, f"  hash: {report['hash'][:16]}"]


def filter_table(filters: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return lines of a table: what was read, less what every filter dropped, over all splits; what each keeps, and
    what of it is stored, with the relationships that were drawn meanwhile."""
    kinds = ("images", "objects", "relationships")
    total: dict[str, list[int]] = {}
    for row in (row for rows in filters.values() for row in rows if row["step"] not in LEFT):
        sign = 1 if row["step"] == "read" else -1
        before = total.get(row["step"], [0, 0, 0])
        total[row["step"]] = [number + sign * row[kind] for number, kind in zip(before, kinds, strict=True)]
    for split, rows in filters.items():
        if any(row["images"] for row in rows):
            total |= {f"{row['step']}, {split}": [row[kind] for kind in kinds] for row in rows if row["step"] in LEFT}
    if not total:
        return []
    wide = max(len(step) for step in total) + 2
    lines = [" " * (wide + 2) + "".join(f"{kind:>15}" for kind in kinds)]
    return lines + [f"  {step:{wide}}" + "".join(f"{number:>15,}" for number in row) for step, row in total.items()]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())
