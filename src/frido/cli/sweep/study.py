"""A sweep's folder: `study.json` says what its jobs are doing. It is drawn from their folders, each time anew."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frido.cli.sweep import record
from frido.cli.sweep.jobs import Job
from frido.cli.sweep.status import Status, status, why
from frido.contracts import atomic

NAME = "study.json"


@dataclass(frozen=True)
class Study:
    """A sweep that goes on in `folder`.

    Args:
        folder: Takes `study.json` and the page.
        arguments: Of `python -m frido.run`.
        comparison: As the study's YAML says, if it compares anything.
        jobs: All of them.
    """

    folder: Path
    arguments: Sequence[str]
    comparison: Mapping[str, Any] | None
    jobs: Sequence[Job]

    @property
    def name(self) -> str:
        return self.folder.name

    def look(self) -> dict[Job, Status]:
        """Return what every job is doing, and write it down."""
        found = {job: status(job) for job in self.jobs}
        told = {
            "name": self.name,
            "command": shlex.join(["python", "-m", "frido.run", *self.arguments]),
            "comparison": self.comparison,
            "jobs": [self._card(job, known) for job, known in found.items()],
        }
        atomic.write_json(self.folder / NAME, told)
        return found

    def _card(self, job: Job, known: Status) -> dict[str, Any]:
        return {
            "overrides": list(job.overrides),
            "arm": job.arm,
            "seed": job.config["seed"],
            "directory": os.path.relpath(job.path, self.folder),
            "status": str(known),
            "attempts": len(record.attempts(job.path)),
            "error": why(job) if known == Status.FAILED else None,
        }

    def varied(self) -> list[str]:
        """Return for each job the overrides in which it differs from others; all of them, of a job alone."""
        shared = set.intersection(*(set(job.overrides) for job in self.jobs)) if len(self.jobs) > 1 else set()
        return [" ".join(o for o in job.overrides if o not in shared) for job in self.jobs]
