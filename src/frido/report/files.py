"""Strict reading of a run directory's files: what is malformed is named by file and line."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from frido.contracts.errors import FridoError

T = TypeVar("T")

MEND = "Restore the file, or delete it: a page can be drawn without it."


def read_json(path: Path, kind: type[dict] | type[list]) -> Any:
    """Return the JSON value of `path`, which must be a `kind` (dict or list); an empty one where there is no file."""
    if not path.is_file():
        return kind()
    try:
        value = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise FridoError(
            f"{path}, line {error.lineno}, is not JSON", got=error.msg, wanted="a JSON file", do=MEND
        ) from None
    except (UnicodeDecodeError, OSError) as error:
        raise FridoError(f"{path} cannot be read", got=error, wanted="a JSON file", do=MEND) from None
    if not isinstance(value, kind):
        wanted = "a JSON object" if kind is dict else "a JSON list"
        raise FridoError(f"{path}, line 1", got=type(value).__name__, wanted=wanted, do=MEND)
    return value


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in `path`; an empty one where there is no file."""
    if not path.is_file():
        return {}
    try:
        value = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        got = getattr(error, "problem", None) or str(error)
        raise FridoError(f"{path}, line {line}, is not YAML", got=got, wanted="the frozen config", do=MEND) from None
    except (UnicodeDecodeError, OSError) as error:
        raise FridoError(f"{path} cannot be read", got=error, wanted="the frozen config", do=MEND) from None
    if not isinstance(value, dict):
        raise FridoError(f"{path}, line 1", got=type(value).__name__, wanted="a mapping of settings", do=MEND)
    return value


def read_lines(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """Return the objects of a `.jsonl` file, each with `images`, and whether the last line was torn.

    A crash can tear only the last line, and then it has no line end: that one is left out.

    Raises:
        FridoError: Any other line is not a JSON object with a whole number of `images`.
    """
    if not path.is_file():
        return [], False
    rows: list[dict[str, Any]] = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:  # JSON and UTF-8 errors both
            if number == len(lines):  # nothing ended this line
                return rows, True
            raise _bad_line(path, number, str(error)) from None
        if not isinstance(row, dict) or type(row.get("images")) is not int or row["images"] < 0:
            raise _bad_line(path, number, line.decode(errors="replace")[:80])
        rows.append(row)
    return rows, False


def read_series(path: Path) -> tuple[dict[str, tuple[tuple[int, float], ...]], bool]:
    """Return `{name: ((images seen, value), ...)}` sorted by images, and whether the last line was torn.

    A name written twice at the same images (before and after a resume) counts once, the later value. Values that are
    no numbers (a null, say) are refused; NaN and infinity are kept, since a reader wants to know of them.

    Raises:
        FridoError: A line that was not torn is not `{"images": int, "<name>": number, ...}`.
    """
    rows, torn = read_lines(path)
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        for name, value in row.items():
            if name == "images":
                continue
            if type(value) not in (int, float):
                raise _bad_line(path, _line_of(path, row), f"{name} = {value!r}")
            found.setdefault(name, {})[row["images"]] = float(value)
    return {name: tuple(sorted(points.items())) for name, points in found.items()}, torn


def _line_of(path: Path, row: dict[str, Any]) -> int:
    """Return the number of the line that holds `row`."""
    lines = path.read_bytes().split(b"\n")
    return next(number for number, line in enumerate(lines, start=1) if line.strip() and json.loads(line) == row)


def _bad_line(path: Path, number: int, got: str) -> FridoError:
    return FridoError(
        f"{path}, line {number}",
        got=got,
        wanted='a JSON object such as {"images": 6400, "denoiser/loss": 0.31}',
        do="Mend or delete that line.",
    )


def each(path: Path, items: list[Any], what: str, read: Callable[[Any], T]) -> tuple[T, ...]:
    """Return `read` of every item of the list in `path`; the item that does not fit is named."""
    made = []
    for row, item in enumerate(items):
        try:
            made.append(read(item))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            got = f"{type(error).__name__}: {error}"
            raise FridoError(f"{path}, item {row}", got=got, wanted=what, do=MEND) from None
    return tuple(made)


def is_finite(points: tuple[tuple[int, float], ...]) -> bool:
    return all(math.isfinite(value) for _, value in points)
