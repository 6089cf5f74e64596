"""Where a run is tracked, from its settings."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError
from frido.contracts.tracker import Tracker
from frido.tracking.jsonl import JsonlTracker
from frido.tracking.several import SeveralTrackers

WANDB = ("auto", "online", "offline", "disabled")
CONSOLE = ("auto", "progress", "lines", "silent")
JOB_TYPES = {"autoencoder": "first stage", "denoiser": "train", "evaluate": "evaluate"}
STUDY, ARM = "FRIDO_STUDY", "FRIDO_ARM"
"""Variables of the environment that a sweep gives its jobs: the name of the study, and of the job's arm."""


class Tracking:
    """Opens trackers for run directories. `metrics.jsonl` is always written.

    Args:
        wandb: "auto" (online when logged in, offline otherwise), "online", "offline" or "disabled".
        project: At W&B.
        group: Runs that W&B shows together; `None`: those of one study, where there is one.
        job_type: What the run is called there; `None`: by its first stage, "first stage", "train" or "evaluate".
        tags: Of the run there, beside the arm of a study.
        patience_seconds: How long W&B may keep the training waiting, at the start and at the end.
        console: "auto" (a bar on terminals, lines elsewhere), "progress", "lines" or "silent".
    """

    def __init__(
        self,
        *,
        wandb: str,
        project: str,
        group: str | None,
        job_type: str | None,
        tags: Sequence[str] | None,
        patience_seconds: int,
        console: str,
    ) -> None:
        for name, value, known in (("wandb", wandb, WANDB), ("console", console, CONSOLE)):
            if value not in known:
                raise FridoError(
                    f"tracking.{name}={value}", got=repr(value), wanted=" | ".join(known), do=f"Set tracking.{name}."
                )
        self.wandb, self.project, self.console = wandb, project, console
        self.group, self.job_type, self.tags = group, job_type, list(tags or ())
        self.patience_seconds = patience_seconds

    def open(
        self,
        directory: Path,
        name: str,
        *,
        config: Mapping[str, Any],
        provenance: Mapping[str, Any] | None = None,
        budget: int | None = None,
    ) -> Tracker:
        """Return the tracker of a run or stage `directory`; close it at the end. Silent on all ranks but the first.

        Args:
            directory: Takes `metrics.jsonl`, `timing.jsonl` and W&B's files.
            name: Of the stage.
            config: The resolved config.
            provenance: As in `provenance.json`.
            budget: Images that will be seen, for the time left.

        Raises:
            FridoError: W&B is to be online, and no key is found.
        """
        if int(os.environ.get("RANK", 0)):
            return SeveralTrackers(trackers=[])
        trackers: list[Tracker] = [JsonlTracker(directory=directory)]
        if self.wandb != "disabled":
            from frido.tracking.dispensable import DispensableTracker

            trackers.append(
                DispensableTracker(
                    name="W&B", make=lambda: self._mirror(directory, name, config=config, provenance=provenance or {})
                )
            )
        if self.console != "silent":
            from frido.tracking.console import ConsoleTracker

            trackers.append(ConsoleTracker(name=name, budget=budget, style=self.console))
        return SeveralTrackers(trackers=trackers)

    def _mirror(
        self, directory: Path, stage: str, *, config: Mapping[str, Any], provenance: Mapping[str, Any]
    ) -> Tracker:
        from frido.tracking.wandb import WandbTracker

        study = os.environ.get(STUDY) or None
        arm = None if stage == "autoencoder" else os.environ.get(ARM) or None  # arms share it
        place = directory.resolve()
        return WandbTracker(
            directory=directory,
            mode=self.wandb,  # type: ignore[arg-type]
            project=self.project,
            name=f"{arm or place.parent.name}/{place.name}",
            group=self.group or study,
            job_type=self.job_type or JOB_TYPES.get(stage, stage),
            tags=[*self.tags, *([arm] if arm else [])],
            config=dict(config) | ({"sweep": {"study": study, "arm": arm}} if study else {}),
            provenance=provenance,
            patience_seconds=self.patience_seconds,
        )
