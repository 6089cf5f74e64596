"""What a person sees of a sweep: a live table on a terminal, a line per change elsewhere."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from frido.cli.sweep import record
from frido.cli.sweep.jobs import Job
from frido.cli.sweep.status import Status
from frido.cli.sweep.study import Study

STYLES = {
    Status.FINISHED: "green",
    Status.RUNNING: "cyan",
    Status.FAILED: "red",
    Status.CUT_OFF: "yellow",
    Status.WAITING: "dim",
}
TAIL = 4096
"""Bytes at the end of a file of numbers in which its last line lies."""


class Show:
    """The jobs of a study while they go on; a context.

    Args:
        study: Whose jobs.
        console: Where to write; `None` is standard error.
    """

    def __init__(self, study: Study, *, console: Console | None = None) -> None:
        self.study, self.names = study, study.varied()
        self.console = console or Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self.live = Live(console=self.console, auto_refresh=False) if self.console.is_terminal else None
        self.before: dict[Job, Status] = {}

    def __enter__(self) -> "Show":
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, found: Mapping[Job, Status]) -> None:
        """Show what the jobs are doing."""
        if self.live:
            self.live.update(self.table(found), refresh=True)
        else:
            for job, name in zip(self.study.jobs, self.names, strict=True):
                if found[job] != self.before.get(job, Status.WAITING):
                    self.console.print(f"{found[job]}: {name} ({job.path})")
        self.before = dict(found)

    def table(self, found: Mapping[Job, Status]) -> Table:
        """Return the jobs as a table, with a count of what they are doing."""
        counts = Counter(found.values())
        title = f"{self.study.name}: " + ", ".join(f"{counts[s]} {s}" for s in Status if counts[s])
        table = Table(title=title, title_justify="left")
        for column in ("job", "status", "images seen", "attempts", "run directory"):
            table.add_column(column, overflow="fold")
        for job, name in zip(self.study.jobs, self.names, strict=True):
            style = STYLES[found[job]]
            budget, tries = job.config["training"]["denoiser"]["images"], len(record.attempts(job.path))
            seen = f"{images_seen(job.path)} of {budget}" if found[job] != Status.WAITING else ""
            table.add_row(name, f"[{style}]{found[job]}[/]", seen, str(tries or ""), str(job.path))
        return table


def images_seen(run: Path) -> int:
    """Return the images of the last whole line of a run's `metrics.jsonl`; 0 where there is none."""
    file = run / "metrics.jsonl"
    if not file.is_file():
        return 0
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - TAIL))
        *lines, _ = stream.read().split(b"\n")
    try:
        return int(json.loads(lines[-1])["images"])
    except (IndexError, ValueError, KeyError):
        return 0
