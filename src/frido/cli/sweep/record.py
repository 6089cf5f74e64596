"""What a job of a sweep leaves in its run directory: `job/record.json` of its attempts, and a log of each."""

import json
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frido.contracts import atomic

FOLDER, NAME = "job", "record.json"


def attempts(run: Path) -> list[dict[str, Any]]:
    """Return the attempts at a run, in order; one that was cut off has no exit code (`None`)."""
    file = run / FOLDER / NAME
    return json.loads(file.read_text()) if file.is_file() else []


def begin(run: Path, command: Sequence[str], *, log: Path | None = None) -> Path:
    """Note that an attempt begins in this process; return where its log belongs, or lies already."""
    before = attempts(run)
    file = run / FOLDER / f"attempt-{len(before) + 1:03d}.log" if log is None else log
    new = {"started": _now(), "ended": None, "code": None, "host": platform.node(), "process": os.getpid()}
    told = {"log": os.path.relpath(file, run / FOLDER), "command": list(command)}
    _write(run, [*before, new | told])
    return file


def end(run: Path, code: int) -> None:
    """Note how the attempt of this process ended."""
    *before, last = attempts(run)
    _write(run, [*before, {**last, "ended": _now(), "code": code}])


def log(run: Path) -> Path | None:
    """Return the log of the last attempt."""
    known = attempts(run)
    return run / FOLDER / known[-1]["log"] if known else None


def _write(run: Path, known: list[dict[str, Any]]) -> None:
    atomic.write_json(run / FOLDER / NAME, known)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
