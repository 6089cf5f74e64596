"""Jobs of a sweep as jobs of Slurm: each is what `hardware=slurm` submits."""

import os
import subprocess
import sys

from frido.cli import slurm
from frido.cli.sweep.jobs import Job
from frido.cli.sweep.runner import Starter
from frido.cli.sweep.study import Study
from frido.contracts.errors import FridoError


class Submitted(Starter):
    """Jobs stay in the queue when this process ends; the same command finds them there.

    Args:
        study: Whose jobs.
        at_once: In the queue or running at the same time.
        poll_seconds: Between two looks at the queue.
    """

    def __init__(self, study: Study, *, at_once: int, poll_seconds: float) -> None:
        self.study, self.at_once, self.poll_seconds = study, at_once, poll_seconds
        self.queue: set[Job] = set()
        self.refused: dict[Job, int | None] = {}
        if not all(slurm.wanted(job.config["hardware"]) for job in study.jobs):
            raise FridoError(
                "hydra/launcher=slurm",
                got="jobs whose hardware asks nothing of Slurm",
                wanted="what each job asks for",
                do="hardware=slurm",
            )

    def room(self) -> bool:
        return len(self.queue) < self.at_once

    def start(self, job: Job) -> None:
        environment = {**os.environ, "FRIDO_STUDY": self.study.name, "FRIDO_ARM": job.arm or ""}
        with (self.study.folder / "launcher.log").open("ab") as log:
            command = [sys.executable, "-m", "frido.run", *job.overrides]
            code = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log).returncode
        if code:
            self.refused[job] = code
        else:
            self.queue.add(job)

    def collect(self) -> dict[Job, int | None]:
        ended = self.refused | {job: None for job in self.queue if slurm.queued(job.path) is None}
        self.queue -= ended.keys()
        self.refused = {}
        return ended

    def busy(self) -> set[Job]:
        return set()

    def ask_to_stop(self) -> None:
        """Leave them where they are: they do not need this process."""

    def kill(self) -> None:
        """Leave them where they are."""
