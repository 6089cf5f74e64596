"""`study=NAME` and `-m a=1,2 b=x,y`: Hydra makes the jobs of them, a launcher of ours runs these."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from frido.cli.compose import compose
from frido.cli.options import config_dir, groups
from frido.cli.refusals import refuse_early, translated
from frido.cli.rundir import UNHASHED
from frido.cli.suggest import key_and_value, menu
from frido.cli.sweep.jobs import Job, plan
from frido.cli.sweep.study import Study
from frido.contracts.errors import FridoError

FLAGS = ("-m", "--multirun")
OURS = ("hydra/launcher", "hydra.launcher.")
"""What of Hydra's own settings may be chosen."""


def asked_for(arguments: Sequence[str]) -> bool:
    """Return whether the arguments stand for several runs."""
    return any(argument in FLAGS or argument.startswith("study=") for argument in arguments)


def run(arguments: Sequence[str]) -> int:
    """Bring all runs that the arguments stand for to their end; return the exit code.

    Raises:
        FridoError: Any of them is not a run; none has been started then.
    """
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    overrides = [argument for argument in arguments if argument not in FLAGS]
    hydras = [override for override in overrides if key_and_value(override)[0].startswith(OURS)]
    own = [override for override in overrides if override not in hydras]
    refuse_early("run", own, config_dir())
    _check_launcher(dict(map(key_and_value, hydras)).get("hydra/launcher"))
    home = initialize_config_dir(config_dir=str(config_dir().resolve()), version_base="1.3")
    with translated("run", own, config_dir()), TemporaryDirectory() as scratch, home:
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        there = f"hydra.sweep.dir={scratch}"  # where Hydra writes before it knows whether the jobs can be run
        batches = hydra.multirun("run", _in_no_process_of_ours, [*overrides, there], with_log_configuration=False)
    return max((job.return_value for batch in batches for job in batch), default=0)


def name(overrides: Sequence[str]) -> str:
    """Return what the folder of a sweep is called: as its study, or by a hash of what it sweeps.

    Where and how the runs are computed is no part of it, as it is none of theirs.
    """
    chosen = dict(map(key_and_value, overrides))
    others = sorted(o for o in overrides if re.split(r"[./=]", o)[0] not in ("study", *UNHASHED))
    if "study" in chosen and not others:
        return chosen["study"]
    digest = hashlib.sha256(json.dumps(others).encode()).hexdigest()[:8]
    return f"{chosen.get('study', 'sweep')}-{digest}"


def study(root: Path, task: Sequence[str], jobs: Sequence[Sequence[str]]) -> Study:
    """Return the study of Hydra's jobs.

    Args:
        root: `run.root`.
        task: What was typed, without Hydra's own settings.
        jobs: Overrides of each job.
    """
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()  # this one has made its jobs; from here on each job is composed as any run is
    chosen = [override for override in task if key_and_value(override)[0] == "study"]
    comparison = compose("run", chosen).get("comparison")
    planned = plan(jobs)
    if comparison:
        _check_arms(comparison["reference"], jobs, planned)
    return Study(folder=root / "studies" / name(task), arguments=task, comparison=comparison, jobs=planned)


def _check_arms(reference: str, jobs: Sequence[Sequence[str]], planned: Sequence[Job]) -> None:
    """Raise `FridoError` where nothing can be compared, before days of training."""
    arms = sorted({str(job.arm) for job in planned})
    if reference not in arms:
        do = f"comparison.reference: {arms[0]}, in the study's file"
        raise FridoError("comparison.reference", got=reference, wanted=f"one of the arms: {', '.join(arms)}", do=do)
    if len(planned) < len(jobs):
        raise FridoError(
            "the study's arms",
            got=f"{len(jobs)} jobs that are {len(planned)} runs: two of them compute the same",
            wanted="arms and seeds that differ",
            do="choose arms whose options differ (conf/arm)",
        )


def _check_launcher(chosen: str | None) -> None:
    """Raise `FridoError` unless a launcher of ours is chosen, or none."""
    ours = groups(config_dir())["hydra/launcher"]
    if chosen not in (None, *ours):
        raise FridoError("hydra/launcher", got=repr(chosen), wanted=f"one of {menu(ours)}", do="hydra/launcher=local")


def _in_no_process_of_ours(config: Any) -> None:
    raise AssertionError("a launcher of ours runs no job in this process")
