"""Jobs of a sweep as processes of this machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from frido.cli import slurm
from frido.cli.proof import processes
from frido.cli.sweep.job import TAKEN
from frido.cli.sweep.jobs import Job
from frido.cli.sweep.runner import Starter
from frido.cli.sweep.study import Study
from frido.contracts.errors import FridoError


class Local(Starter):
    """Each job in a process and a session of its own, which outlives this one where it is killed.

    Args:
        study: Whose jobs.
        at_once: Jobs at the same time.
        devices: GPUs by number, shared out to them; `None` shares out nothing.
    """

    poll_seconds = 1.0

    def __init__(self, study: Study, *, at_once: int, devices: Sequence[int] | None) -> None:
        self.study, self.at_once = study, at_once
        self.free = None if devices is None else list(devices)
        self.children: dict[Job, subprocess.Popen] = {}
        self.taken: dict[Job, list[int]] = {}
        self.asked = False
        check(study.jobs, at_once=at_once, devices=devices)

    def room(self) -> bool:
        return len(self.children) < self.at_once

    def start(self, job: Job) -> None:
        command = [sys.executable, "-m", "frido.cli.sweep.job", str(job.path), *job.overrides]
        environment = {**os.environ, "FRIDO_STUDY": self.study.name, "FRIDO_ARM": job.arm or ""}
        if self.free is not None:
            count = job.config["hardware"]["devices"]
            self.taken[job], self.free = self.free[:count], self.free[count:]
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, self.taken[job]))
        # What a job says before it has a log of its own.
        with (self.study.folder / "launcher.log").open("ab") as log:
            self.children[job] = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def collect(self) -> dict[Job, int | None]:
        ended = {job: child.returncode for job, child in self.children.items() if child.poll() is not None}
        for job in ended:
            del self.children[job]
            if self.free is not None:
                self.free += self.taken.pop(job)
        return {job: code for job, code in ended.items() if code != TAKEN}

    def busy(self) -> set[Job]:
        return set(self.children)

    def ask_to_stop(self) -> None:
        if not self.asked:
            for child in self.children.values():
                child.send_signal(signal.SIGTERM)
        self.asked = True

    def kill(self) -> None:
        for child in self.children.values():
            processes.kill(child)


def check(jobs: Sequence[Job], *, at_once: int, devices: Sequence[int] | None) -> None:
    """Raise `FridoError` where jobs cannot run here, or not so many at once."""
    most = max(job.config["hardware"]["devices"] for job in jobs)
    if any(slurm.wanted(job.config["hardware"]) for job in jobs):
        raise FridoError(
            "hydra/launcher=local",
            got="jobs that are to be submitted to Slurm (hardware=slurm)",
            wanted="jobs for this machine",
            do="hydra/launcher=slurm",
        )
    if at_once < 1:
        raise FridoError("hydra.launcher.at_once", got=at_once, wanted="1 or more", do="hydra.launcher.at_once=1")
    if devices is not None and at_once * most > len(devices):
        raise FridoError(
            "hydra.launcher.devices",
            got=f"{len(devices)} devices for {at_once} jobs at once of {most} each",
            wanted=f"{at_once * most} devices, or fewer jobs at once",
            do=f"hydra.launcher.at_once={max(1, len(devices) // most)}",
        )
