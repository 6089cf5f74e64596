"""The jobs of a sweep: overrides that choose one run each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frido.cli import averages, prove_resume
from frido.cli.beginning import check_there
from frido.cli.compose import compose, recipe
from frido.cli.rundir import RunDirectory
from frido.cli.schema import check
from frido.cli.suggest import key_and_value
from frido.contracts.errors import FridoError


@dataclass(frozen=True, eq=False)
class Job:
    """One run of a sweep.

    Args:
        overrides: What `python -m frido.run` is given for it.
        config: Resolved and checked.
        directory: The run directory that belongs to `config`.
    """

    overrides: tuple[str, ...]
    config: Mapping[str, Any]
    directory: RunDirectory

    @property
    def path(self) -> Path:
        return self.directory.path

    @property
    def arm(self) -> str | None:
        return dict(map(key_and_value, self.overrides)).get("arm")


def plan(overrides: Sequence[Sequence[str]]) -> list[Job]:
    """Return the jobs, each run once; all of them are checked before the first may start.

    Args:
        overrides: Of each job; `study=` among them says where it comes from, not what it is.

    Raises:
        FridoError: One of them is no run that a sweep can make.
    """
    jobs: dict[Path, Job] = {}
    for given in overrides:
        own = tuple(override for override in given if key_and_value(override)[0] != "study")
        job = _job(own)
        jobs.setdefault(job.path, job)
    return list(jobs.values())


def _job(overrides: tuple[str, ...]) -> Job:
    config = compose("run", overrides)
    check(config)
    averages.refuse_before_training(config["stages"])
    for setting, refused in (
        ("run.fresh=true", config["run"]["fresh"]),
        ("engine.dry_run=true", config["engine"]["dry_run"]),
        (f"stages=[{prove_resume.NAME}]", prove_resume.NAME in config["stages"]),
        ("stages without report", "report" not in config["stages"]),
    ):
        if refused:
            raise FridoError(
                setting,
                got=f"it, in a sweep ({' '.join(overrides)})",
                wanted="runs that are continued until they have a page",
                do=f"leave it out, or type a single run's command with {setting}",
            )
    directory = RunDirectory.planned(config, recipe=recipe(overrides))
    if not (directory.path / "config.yaml").is_file():
        check_there(config)
    return Job(overrides, config, directory)
