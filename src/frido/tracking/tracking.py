"""Where a run is tracked, from its settings."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError
from frido.contracts.tracker import Tracker
from frido.tracking.jsonl import JsonlTracker
from frido.tracking.several import SeveralTrackers

WANDB = ("auto", "online", "offline", "disabled")
CONSOLE = ("auto", "progress", "lines", "silent")


class Tracking:
    """Opens trackers for run directories. `metrics.jsonl` is always written.

    Args:
        wandb: "auto" (online when logged in, offline otherwise), "online", "offline" or "disabled".
        project: At W&B.
        console: "auto" (a bar on terminals, lines elsewhere), "progress", "lines" or "silent".
    """

    def __init__(self, *, wandb: str, project: str, console: str) -> None:
        for name, value, known in (("wandb", wandb, WANDB), ("console", console, CONSOLE)):
            if value not in known:
                raise FridoError(
                    f"tracking.{name}={value}", got=repr(value), wanted=" | ".join(known), do=f"Set tracking.{name}."
                )
        self.wandb, self.project, self.console = wandb, project, console

    def open(
        self,
        directory: Path,
        name: str,
        *,
        config: Mapping[str, Any],
        provenance: Mapping[str, Any] | None = None,
        budget: int | None = None,
        group: str | None = None,
    ) -> Tracker:
        """Return the tracker of a run or stage `directory`; close it at the end. Silent on all ranks but the first.

        Args:
            directory: Takes `metrics.jsonl`, `timing.jsonl` and W&B's files.
            name: Of the stage or run.
            config: The resolved config.
            provenance: As in `provenance.json`.
            budget: Images that will be seen, for the time left.
            group: Runs that W&B shows together.
        """
        if int(os.environ.get("RANK", 0)):
            return SeveralTrackers(trackers=[])
        trackers: list[Tracker] = [JsonlTracker(directory=directory)]
        if self.wandb != "disabled":
            from frido.tracking.wandb import WandbTracker

            trackers.append(
                WandbTracker(
                    directory=directory,
                    mode=self.wandb,  # type: ignore[arg-type]
                    project=self.project,
                    name=name,
                    group=group,
                    config=config,
                    provenance=provenance or {},
                )
            )
        if self.console != "silent":
            from frido.tracking.console import ConsoleTracker

            trackers.append(ConsoleTracker(name=name, budget=budget, style=self.console))
        return SeveralTrackers(trackers=trackers)
