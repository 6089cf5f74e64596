"""The truth about a run: two text files, one JSON object a line."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from frido.contracts import atomic
from frido.contracts.tracker import Cell, Tracker

METRICS = "metrics.jsonl"
TIMING = "timing.jsonl"
LOST = "lost.jsonl"
NOT_FINITE = "not_finite.jsonl"
CLOCK = ("_per_second", "_seconds", "data_wait", "peak_share", "peak_memory_bytes", "checkpoint_failures")
"""Endings of names that depend on clock, memory or disk; they go to `timing.jsonl`, so that `metrics.jsonl` can be
repeated."""

log = logging.getLogger(__name__)


class Lines:
    """A text file that grows by whole lines, also past a full disk.

    Lines that cannot be written wait in memory and are written, in their order, with the next ones that can be: then
    the file is what it would have been. Only a crash before that loses them.

    Args:
        path: In a folder that exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.waiting: list[str] = []

    def append(self, text: str) -> None:
        """Add `text`, whole lines; they are on disk when this returns, or an error was logged."""
        known = len(self.waiting)
        self.waiting += text.splitlines(keepends=True)
        try:
            atomic.append(self.path, "".join(self.waiting))
        except OSError as error:
            if not known:
                log.error("%s: %s; its lines wait in memory until there is room", self.path, error)
            return
        if known:
            log.warning("%s: %d lines that waited are written", self.path, known)
        self.waiting = []

    def close(self) -> None:
        """Try once more to write what waits; name how much is lost."""
        if self.waiting:
            self.append("")
        if self.waiting:
            log.error("%s: %d lines could not be written and are lost", self.path, len(self.waiting))


class JsonlTracker(Tracker):
    """Appends `{"images": n, name: value, ...}` to `metrics.jsonl`, clock times to `timing.jsonl`.

    A line is on disk when `log` returns, so no checkpoint is newer than the log, except while lines wait (`Lines`).
    Pictures, and what tables hold, are files already.

    Args:
        directory: Of the run or stage.
    """

    def __init__(self, *, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.metrics, self.timing = Lines(directory / METRICS), Lines(directory / TIMING)

    def log(self, values: Mapping[str, float], *, images: int) -> None:
        clock = {name: value for name, value in values.items() if name.endswith(CLOCK)}
        _append(self.metrics, {name: value for name, value in values.items() if name not in clock}, images)
        _append(self.timing, clock, images)

    def picture(self, name: str, path: Path, *, images: int) -> None:
        pass

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, images: int) -> None:
        pass

    def close(self) -> None:
        self.metrics.close()
        self.timing.close()


def rewind(directory: Path, *, images: int) -> None:
    """Remove from the files of `directory` every line of more than `images` seen, and a line torn by a crash."""
    for name in (METRICS, TIMING, LOST, NOT_FINITE):
        _keep(directory / name, lambda values: values["images"] <= images)


def forget(directory: Path, names: Iterable[str]) -> None:
    """Remove from `metrics.jsonl` the lines that hold nothing but `names`: they are measured again."""
    again = {"images", *names}
    _keep(directory / METRICS, lambda values: not values.keys() <= again)


def _append(lines: Lines, values: Mapping[str, float], images: int) -> None:
    if values:
        line = {"images": images} | {key: float(value) for key, value in values.items()}
        lines.append(json.dumps(line) + "\n")


def _keep(path: Path, wanted: Callable[[dict[str, float]], bool]) -> None:
    if path.exists():
        lines = path.read_text().splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and wanted(json.loads(line))]
        if kept != lines:
            atomic.write_text(path, "".join(kept))
