"""Progress for a person: a moving bar on a terminal, lines in a log file."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from frido.contracts.tracker import Cell, Tracker

SHOWN_VALUES = 4


class ConsoleTracker(Tracker):
    """Shows stage, images seen of the budget, images per second, time left and the losses, on standard error.

    Args:
        name: Of the stage ("denoiser").
        budget: Images that the stage will see; `None` if nothing is being trained.
        style: "progress" for a bar, "lines" for a line per logged moment, "auto" for a bar on terminals only.
        console: Where to write; `None` is standard error.
    """

    def __init__(self, *, name: str, budget: int | None, style: str, console: Console | None = None) -> None:
        self.name, self.budget = name, budget
        self.console = console or Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self.speed = 0.0
        self.values: dict[str, float] = {}
        self.bar: Progress | None = None
        if style == "progress" or (style == "auto" and self.console.is_terminal):
            self.bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"), console=self.console
            )
            self.task = self.bar.add_task(name, total=budget, text="")
            self.bar.start()

    def log(self, values: Mapping[str, float], *, images: int) -> None:
        self.speed = next((value for name, value in values.items() if name.endswith("images_per_second")), self.speed)
        shown = {name: value for name, value in values.items() if _is_news(name)}
        if self.bar is None:
            self.console.print(f"{self.name:<12} {self.text(images, shown)}", markup=False)
        else:
            self.values |= shown
            self.bar.update(self.task, completed=images, text=self.text(images, self.values))

    def picture(self, name: str, path: Path, *, images: int) -> None:
        if self.bar is None:
            self.console.print(f"{self.name:<12} {name}: {path}", markup=False)
        else:
            self.bar.console.print(f"{name}: {path}", markup=False)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, images: int) -> None:
        pass

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()

    def text(self, images: int, values: Mapping[str, float]) -> str:
        """Return one line about the moment after `images`."""
        parts = [f"{images:,} images"]
        if self.budget:
            parts = [f"{images:,}/{self.budget:,} images"]
        if self.budget and self.speed:
            left = (self.budget - images) / self.speed
            parts += [f"{self.speed:.4g}/s", f"{duration(left)} left"]
        chosen = sorted(values, key=lambda name: not name.endswith("/loss"))[:SHOWN_VALUES]  # losses first
        return "  ".join([*parts, *(f"{name} {values[name]:.4g}" for name in chosen)])


def duration(seconds: float) -> str:
    """Return hours, minutes and seconds as `2:05:09` or `5:09`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _is_news(name: str) -> bool:
    return not name.endswith(("_per_second", "/peak_share", "/peak_memory_bytes", "/learning_rate", "/gradient_norm"))
