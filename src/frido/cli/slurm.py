"""`hardware=slurm`: a run as a job of Slurm, submitted through submitit.

What is composed, checked and frozen here is carried out there: one task per machine starts a torchrun, so that a
process that dies is brought back as anywhere. Before Slurm takes the machines (the time limit, preemption) the training
saves, and the job puts itself back into the queue under the same number.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frido.cli import errors, finished
from frido.cli.drawing import Drawing
from frido.cli.locks import hold
from frido.cli.rundir import RunDirectory
from frido.cli.sweep import record
from frido.contracts import atomic
from frido.contracts.errors import FridoError

FOLDER, CARD = "slurm", "job.json"
SECONDS_TO_SUBMIT = 60.0
"""So long a job waits for the command that submitted it to let go of the run directory."""

FIRST_PORT, PORTS = 20000, 20000
"""Where the machines of a job meet: a port by the job's number."""


def wanted(hardware: Mapping[str, Any]) -> bool:
    """Return whether a command with this hardware is to submit a job, and is not part of a training already."""
    return hardware["slurm"] is not None and "RANK" not in os.environ


def check(directory: RunDirectory) -> None:
    """Raise `FridoError` where no job can be submitted, or one of this run is in the queue or running."""
    if shutil.which("sbatch") is None:
        raise FridoError(
            "hardware=slurm",
            got="no sbatch on this machine",
            wanted="a machine from which jobs are submitted",
            do="hardware=ddp",
        )
    if find_spec("submitit") is None:
        do = "pip install 'frido[slurm]'"
        raise FridoError("hardware=slurm", got="submitit is not installed", wanted="submitit", do=do)
    known = queued(directory.path)
    if known is not None:
        number, told = known
        raise FridoError(
            str(directory.path), got=told, wanted="one job at a time", do=f"wait for it, or scancel {number}"
        )


def submit(directory: RunDirectory, stages: Sequence[str], *, drawing: Drawing) -> int:
    """Submit a job that runs `stages` in `directory`; return the exit code.

    Raises:
        FridoError: See `check`; or Slurm refuses the job.
    """
    check(directory)
    import submitit

    folder = directory.path.resolve() / FOLDER
    executor = submitit.SlurmExecutor(folder=folder)
    executor.update_parameters(**_asked_for(directory.config["hardware"], name=f"frido-{directory.path.name}"))
    try:
        job = executor.submit(Job(directory=directory.path.resolve(), stages=stages, drawing=drawing))
    except submitit.core.utils.FailedJobError as error:
        said = str(error).strip().splitlines()
        do = "change hardware.slurm (sinfo shows partitions, sacctmgr show associations accounts)"
        raise FridoError(
            "hardware.slurm", got=said[-1] if said else error, wanted="what Slurm accepts", do=do
        ) from None
    atomic.write_json(folder / CARD, {"job": job.job_id, "submitted": time.strftime("%Y-%m-%d %H:%M:%S")})
    print(f"job {job.job_id}: squeue -j {job.job_id} shows its state, scancel {job.job_id} stops it")
    print(f"what it says: {job.paths.stdout}\n              {job.paths.stderr}")
    return 0


def queued(run: Path) -> tuple[str, str] | None:
    """Return the number of a run's job that is in the queue or running, and what is known of it."""
    card = run / FOLDER / CARD
    if not card.is_file() or shutil.which("squeue") is None:
        return None
    job = json.loads(card.read_text())
    known = state(job["job"])
    return (job["job"], f"job {job['job']} of this run, submitted {job['submitted']}: {known}") if known else None


class Job:
    """What one task of the job does, on each of its machines.

    Args:
        directory: Run directory, absolute.
        stages: In their order.
        drawing: What is to be drawn.
    """

    def __init__(self, *, directory: Path, stages: Sequence[str], drawing: Drawing) -> None:
        self.directory, self.stages, self.drawing = directory, stages, drawing

    def __call__(self) -> None:
        """Run the stages under torchrun; put the job into the queue again where it was asked to stop before the end."""
        from frido.engine.signals import RESUMABLE

        signal.signal(signal.SIGUSR1, lambda number, frame: None)  # until there is a torchrun to pass it on to
        signal.signal(signal.SIGUSR2, lambda number, frame: os.kill(os.getpid(), signal.SIGUSR1))
        try:
            code = self._noted() if os.environ["SLURM_PROCID"] == "0" else self._run(first=False)
        except FridoError as error:
            errors.show(error)
            code = errors.BAD_INPUT
        number = os.environ["SLURM_JOB_ID"]
        if code == RESUMABLE and os.environ["SLURM_PROCID"] == "0" and state(number) == "RUNNING":
            # A job that was cancelled, or that Slurm itself puts back, is not running any more while it ends.
            subprocess.run(["scontrol", "requeue", number], check=True)
        if code:
            sys.exit(code)

    def _noted(self) -> int:
        number = os.environ["SLURM_JOB_ID"]
        record.begin(self.directory, ["job", number], log=self.directory / FOLDER / f"{number}_0_log.err")
        code = self._run(first=True)
        record.end(self.directory, code)
        return code

    def _run(self, *, first: bool) -> int:
        from frido.cli import worker
        from frido.engine.distributed import NOT_SHARED

        directory = RunDirectory.existing(self.directory)
        number, again = os.environ["SLURM_JOB_ID"], os.environ.get("SLURM_RESTART_COUNT", "0")
        with hold(directory.path, wait=SECONDS_TO_SUBMIT) if first else nullcontext():
            os.environ[NOT_SHARED] = "1"
            code = worker.torchrun(
                directory.path,
                stages=self.stages,
                drawing=self.drawing,
                options=_meeting(directory.config["hardware"]["nodes"], number),
                name=f"{number}.{again}",
            )
            if first and code == 0 and self.drawing.own:
                finished.note(directory, {**directory.config, "stages": list(self.stages)})
        return code


def state(number: str) -> str | None:
    """Return what Slurm says of a job, such as `"RUNNING"`; `None` of one that is no longer known."""
    asked = subprocess.run(["squeue", "-h", "-j", number, "-o", "%T"], capture_output=True, text=True)
    return asked.stdout.strip() or None


def _meeting(nodes: int, number: str) -> Sequence[str]:
    """Return the options by which the torchruns of a job's machines find each other."""
    from frido.cli import worker

    if nodes == 1:
        return worker.ONE_MACHINE
    import submitit

    place = f"{submitit.JobEnvironment().hostnames[0]}:{FIRST_PORT + int(number) % PORTS}"
    return (f"--nnodes={nodes}", "--rdzv-backend=c10d", f"--rdzv-endpoint={place}")


def _asked_for(hardware: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Return the arguments of `submitit.SlurmExecutor.update_parameters`."""
    slurm = hardware["slurm"]
    return {
        "job_name": name,
        "nodes": hardware["nodes"],
        "ntasks_per_node": 1,
        "gpus_per_node": slurm["gpus_per_node"],
        "cpus_per_task": slurm["cpus_per_node"],
        "mem": slurm["mem_gb"] and f"{slurm['mem_gb']}GB",
        "time": slurm["time_minutes"],
        "partition": slurm["partition"],
        "account": slurm["account"],
        "signal_delay_s": slurm["warn_seconds"],
        "additional_parameters": {"requeue": True, **slurm["additional"]},
    }
