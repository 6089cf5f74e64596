"""The truth about a run: two text files, one JSON object a line."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from frido.contracts import atomic
from frido.contracts.tracker import Tracker

METRICS = "metrics.jsonl"
TIMING = "timing.jsonl"
LOST = "lost.jsonl"
CLOCK = ("_per_second", "_seconds", "data_wait")
"""Endings of names that depend on the clock; they go to `timing.jsonl`, so that `metrics.jsonl` can be repeated."""


class JsonlTracker(Tracker):
    """Appends `{"images": n, name: value, ...}` to `metrics.jsonl`, clock times to `timing.jsonl`.

    A line is on disk when `log` returns, so no checkpoint is newer than the log. Pictures are files already.

    Args:
        directory: Of the run or stage.
    """

    def __init__(self, *, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def log(self, values: Mapping[str, float], *, images: int) -> None:
        clock = {name: value for name, value in values.items() if name.endswith(CLOCK)}
        self._append(METRICS, {name: value for name, value in values.items() if name not in clock}, images)
        self._append(TIMING, clock, images)

    def picture(self, name: str, path: Path, *, images: int) -> None:
        pass

    def close(self) -> None:
        pass

    def _append(self, name: str, values: Mapping[str, float], images: int) -> None:
        if values:
            line = json.dumps({"images": images} | {key: float(value) for key, value in values.items()})
            with (self.directory / name).open("a") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())


def rewind(directory: Path, *, images: int) -> None:
    """Remove from the files of `directory` every line of more than `images` seen, and a line torn by a crash."""
    for name in (METRICS, TIMING, LOST):
        _keep(directory / name, lambda values: values["images"] <= images)


def forget(directory: Path, names: Iterable[str]) -> None:
    """Remove from `metrics.jsonl` the lines that hold nothing but `names`: they are measured again."""
    again = {"images", *names}
    _keep(directory / METRICS, lambda values: not values.keys() <= again)


def _keep(path: Path, wanted: Callable[[dict[str, float]], bool]) -> None:
    if path.exists():
        lines = path.read_text().splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and wanted(json.loads(line))]
        if kept != lines:
            atomic.write_text(path, "".join(kept))
