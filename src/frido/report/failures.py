"""What went wrong, and what was lost: of each run, and of the jobs of a study."""

from dataclasses import dataclass

from frido.report.members import Member
from frido.report.notes import LOST
from frido.report.numbers import count
from frido.report.run import Run
from frido.report.section import Section, Subject
from frido.report.study import Job

COUNTED = (
    ("samples lost", LOST),
    ("steps left out", "steps_skipped"),
    ("checkpoints not written", "checkpoint_failures"),
)
DONE = "finished"


@dataclass(frozen=True, slots=True)
class Loss:
    """A run's counts, in the order of `COUNTED`, and the reasons of lost samples with their numbers."""

    member: Member
    stage: str
    counts: tuple[int, ...]
    reasons: tuple[tuple[str, str], ...]


def section(subject: Subject) -> Section:
    """Return failures and data loss; that there are none is said too."""
    values = {
        "heads": [name for name, _ in COUNTED],
        "losses": losses(subject),
        "jobs": [(study.name, jobs) for study in subject.studies if (jobs := undone(study.jobs))],
    }
    return Section("failures", "Failures and data loss", "Failures", "failures.html.j2", values)


def losses(subject: Subject) -> tuple[Loss, ...]:
    """Return a row for every run, and every first stage, that lost anything."""
    found: list[Loss] = []
    seen = set()
    for member in subject.members:
        for stage, part in (("second stage", member.run), ("first stage", member.run.first_stage)):
            if part and part.path not in seen:
                seen.add(part.path)
                counts = tuple(_last(part, name) for _, name in COUNTED)
                if any(counts):
                    found.append(Loss(member, stage, counts, tuple((why, count(of)) for why, of in part.lost)))
    return tuple(found)


def undone(jobs: tuple[Job, ...]) -> tuple[Job, ...]:
    """Return the jobs that are not finished, those that failed first."""
    return tuple(sorted((job for job in jobs if job.status != DONE), key=lambda job: (not job.error, job.status)))


def _last(run: Run, name: str) -> int:
    points = run.metrics.get(name) or run.timing.get(name) or ()
    return int(points[-1][1]) if points else 0
