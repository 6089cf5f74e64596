"""What a job is doing, from its folder alone: locks that are held, the record of its attempts, what is finished."""

from enum import StrEnum
from pathlib import Path

from frido.cli import finished, locks, slurm
from frido.cli.errors import INTERRUPTED
from frido.cli.sweep import record
from frido.cli.sweep.jobs import Job

RESUMABLE = 75
"""`frido.engine.signals.RESUMABLE`: stopped on request, saved; named here so that no torch is imported."""


class Status(StrEnum):
    FINISHED = "finished"
    RUNNING = "running"
    FAILED = "failed"
    CUT_OFF = "cut off"
    """Begun, and neither at work nor at its end: killed, or asked to stop."""
    WAITING = "waiting"


def status(job: Job) -> Status:
    """Return what `job` is doing, whoever started it."""
    if running(job.path):
        return Status.RUNNING
    if finished.with_page(job.directory, job.config):
        return Status.FINISHED
    known = record.attempts(job.path)
    if not known:
        return Status.CUT_OFF if (job.path / "config.yaml").is_file() else Status.WAITING
    # An exit code 0 without the end: it ran with other stages or metrics.
    ended = known[-1]["code"] not in (None, 0, RESUMABLE, INTERRUPTED)
    return Status.FAILED if ended else Status.CUT_OFF


def running(run: Path) -> bool:
    """Return whether a process is at work on a run: a job, a command, a rank whose parent is gone, or Slurm's job."""
    return any(locks.held(folder) for folder in (claim(run), run, run / "worker")) or slurm.queued(run) is not None


def claim(run: Path) -> Path:
    """Return the folder whose lock a job holds while it works on `run`."""
    return run / record.FOLDER


def why(job: Job) -> str | None:
    """Return the end of the log of a failed attempt: our four lines of bad input, or the last line."""
    path = record.log(job.path)
    lines = path.read_text(errors="replace").rstrip().splitlines() if path and path.is_file() else []
    start = next((k for k in range(len(lines) - 1, -1, -1) if lines[k].startswith("error: ")), len(lines) - 1)
    return "\n".join(lines[start : start + 4]) if lines else None
