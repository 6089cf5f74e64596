"""Hydra's side of a sweep: launchers that hand its jobs to `frido.cli.sweep`. Imports no torch."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from frido.cli.sweep.study import Study


class LocalLauncher(Launcher):
    """Jobs on this machine; see `frido.cli.sweep.local.Local`.

    Args:
        at_once: Jobs at the same time.
        retries: Times that a job is started again by one command.
        devices: GPUs to share out.
    """

    def __init__(self, *, at_once: int, retries: int, devices: Sequence[int] | None) -> None:
        self.at_once, self.retries, self.devices = at_once, retries, devices

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from frido.cli.sweep import ending, local

        study = _study(self.config, job_overrides)
        starter = local.Local(study, at_once=self.at_once, devices=self.devices)
        return _returned(job_overrides, ending.run(study, starter, retries=self.retries))


class SlurmLauncher(Launcher):
    """Jobs of Slurm; see `frido.cli.sweep.submitted.Submitted`.

    Args:
        at_once: Jobs in the queue or running at the same time.
        retries: Times that a job is submitted again by one command.
        poll_seconds: Between two looks at the queue.
    """

    def __init__(self, *, at_once: int, retries: int, poll_seconds: float) -> None:
        self.at_once, self.retries, self.poll_seconds = at_once, retries, poll_seconds

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from frido.cli.sweep import ending, submitted

        study = _study(self.config, job_overrides)
        starter = submitted.Submitted(study, at_once=self.at_once, poll_seconds=self.poll_seconds)
        return _returned(job_overrides, ending.run(study, starter, retries=self.retries))


class PrintLauncher(Launcher):
    """Prints the commands of unfinished jobs and runs none."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from frido.cli.sweep.status import Status

        found = _study(self.config, job_overrides).look()
        for job, known in found.items():
            if known != Status.FINISHED:
                print(shlex.join(["python", "-m", "frido.run", *job.overrides]))
        return _returned(job_overrides, 0)


def _study(config: DictConfig, job_overrides: Sequence[Sequence[str]]) -> "Study":
    from frido.cli.sweep import door

    return door.study(Path(config.run.root), list(config.hydra.overrides.task), job_overrides)


def _returned(job_overrides: Sequence[Sequence[str]], code: int) -> list[JobReturn]:
    """Return a sweep's exit code as Hydra wants it: a job that failed raises nothing, so Hydra prints no traceback."""
    return [
        JobReturn(overrides=overrides, status=JobStatus.COMPLETED, _return_value=code) for overrides in job_overrides
    ]
