"""What was named on a command line, as the subject of a page."""

from collections.abc import Sequence
from pathlib import Path

from frido.contracts.errors import FridoError
from frido.report import run, study
from frido.report.members import members
from frido.report.section import Subject


def gather(places: Sequence[Path], *, scenes: int) -> Subject:
    """Return the runs in `places`, each of which is a run directory or a study's folder; a run that is named twice,
    or that two studies share, counts once.

    Jobs of a study that have no directory yet are left to the study's own section.

    Raises:
        FridoError: A place is neither, a file there is malformed, or no run is there at all.
    """
    studies: list[study.Study] = []
    folders: dict[Path, None] = {}
    for place in map(Path, places):
        if study.is_study(place):
            studies.append(study.read(place))
            for job in studies[-1].jobs:
                if run.is_run(job.directory):
                    folders[job.directory] = None
        else:
            folders[place.resolve()] = None
    if not folders:
        raise FridoError(
            ", ".join(map(str, places)),
            got="a study none of whose jobs has begun",
            wanted="at least one run",
            do="Wait for the first, or begin: python -m frido.run study=NAME.",
        )
    runs = [run.read(folder) for folder in folders]
    return Subject(members=members(runs, studies), studies=tuple(studies), scenes=scenes)
