"""What two runs left behind, byte by byte."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

SHOWN, WIDTH = 4, 120
"""Differences told of a file, and characters of a value."""
TIMING, MANIFEST = "timing.jsonl", "manifest.json"
WHOLE = ("checkpoints", "snapshots", "averages")
"""Folders of which every file counts; elsewhere JSON holds clocks and paths."""
SUFFIXES = (".safetensors", ".jsonl", ".png")


@dataclass(frozen=True, slots=True)
class Row:
    """The files of one folder, over all moments: how many were compared, with how many bytes and lines of text."""

    folder: str
    files: int
    bytes: int
    lines: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared, and every difference, by file. A manifest is told only where the files it names are equal."""

    rows: list[Row]
    differences: dict[str, list[str]]


def compare(one: Path, other: Path) -> Comparison:
    """Compare what the runs below two roots computed.

    That is: every file of checkpoints, snapshots and averages, all weights and latents, pictures, and the lines of all
    logs but `timing.jsonl`.
    """
    mine, theirs = results(one), results(other)
    found: dict[str, list[str]] = {}
    for name in sorted({*mine, *theirs}):
        if name not in mine or name not in theirs:
            found[name] = [f"only in {one if name in mine else other}"]
        elif mine[name].read_bytes() != theirs[name].read_bytes():
            found[name] = _told(mine[name], theirs[name])
    folders = {Path(name).parent for name in found if Path(name).name != MANIFEST}
    told = {name: why for name, why in found.items() if Path(name).name != MANIFEST or Path(name).parent not in folders}
    return Comparison(rows=_rows(mine), differences=told)


def results(root: Path) -> dict[str, Path]:
    """Return the files below `root` that two equal runs must have in common, by their path from there."""
    found = {str(path.relative_to(root)): path for path in sorted(root.rglob("*")) if path.is_file()}
    return {name: path for name, path in found.items() if _counts(Path(name))}


def table(rows: list[Row]) -> str:
    """Return them for people, with their sum."""
    total = Row("all", *(sum(getattr(row, name) for row in rows) for name in ("files", "bytes", "lines")))
    width = max(len(row.folder) for row in [*rows, total])
    lines = [
        f"{row.folder:<{width}} {row.files:>6,} files {row.bytes:>15,} bytes {row.lines:>7,} lines"
        for row in [*rows, total]
    ]
    return "\n".join(lines)


def _counts(name: Path) -> bool:
    hidden = any(part.startswith(".") for part in name.parts)
    inside = not {*WHOLE}.isdisjoint(name.parts)
    return not hidden and name.name != TIMING and (inside or name.suffix in SUFFIXES)


def _rows(files: Mapping[str, Path]) -> list[Row]:
    groups: dict[str, list[Path]] = {}
    for name, path in files.items():
        folders = [part for part in Path(name).parts[:-1] if not (part.isdigit() and len(part) == 12)]
        groups.setdefault("/".join(folders), []).append(path)
    return [
        Row(
            folder,
            files=len(paths),
            bytes=sum(path.stat().st_size for path in paths),
            lines=sum(len(path.read_text().splitlines()) for path in paths if path.suffix == ".jsonl"),
        )
        for folder, paths in groups.items()
    ]


def _told(one: Path, other: Path) -> list[str]:
    if one.suffix == ".safetensors":
        from frido.cli.proof import tensors  # numpy, which is needed only here

        found = tensors.differences(one, other)
    elif one.suffix == ".jsonl":
        found = _lines(one, other)
    elif one.suffix == ".json":
        found = _values("", json.loads(one.read_text()), json.loads(other.read_text()))
    else:
        found = iter(())
    told = list(found)
    if not told:
        return ["other bytes"]
    more = [f"and {len(told) - SHOWN} more"] if len(told) > SHOWN else []
    return [*told[:SHOWN], *more]


def _lines(one: Path, other: Path) -> Iterator[str]:
    """Yield the first line that differs."""
    pairs = zip_longest(one.read_text().splitlines(), other.read_text().splitlines(), fillvalue="(no line)")
    differing = ((number, mine, theirs) for number, (mine, theirs) in enumerate(pairs, 1) if mine != theirs)
    for number, mine, theirs in islice(differing, 1):
        try:
            names = ", ".join(_values("", json.loads(mine), json.loads(theirs)))
        except ValueError:
            names = f"{_cut(mine)} against {_cut(theirs)}"
        yield f"line {number}: {names}"


def _values(place: str, one: Any, other: Any) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            yield from _values(f"{place}.{key}".lstrip("."), one.get(key), other.get(key))
    elif one != other:
        yield f"{place}: {_cut(one)} against {_cut(other)}"


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
