"""A study's folder as plain data: its question, and the jobs that its runs came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError
from frido.report import files

FILE = "study.json"


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a study; `directory` may not exist yet. `status` is the sweep's word for it."""

    overrides: tuple[str, ...]
    arm: str
    seed: int | None
    directory: Path
    status: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class Study:
    """A question asked of several runs; `told` is the whole of `study.json`."""

    path: Path
    name: str
    question: str
    reference: str
    jobs: tuple[Job, ...]
    told: dict[str, Any]


def is_study(path: Path) -> bool:
    """Return whether `path` is a folder that a sweep made."""
    return (path / FILE).is_file()


def read(folder: Path) -> Study:
    """Return the study in `folder`.

    Raises:
        FridoError: Its file is malformed.
    """
    where = folder / FILE
    told = files.read_json(where, dict)
    jobs = told.get("jobs", [])
    if not isinstance(jobs, list):
        raise FridoError(f"{where}, jobs", got=type(jobs).__name__, wanted="a list", do=files.MEND)
    comparison = told["comparison"] if isinstance(told.get("comparison"), dict) else {}
    return Study(
        path=folder.resolve(),
        name=str(told.get("name") or folder.resolve().name),
        question=str(told.get("question") or comparison.get("question") or ""),
        reference=str(told.get("reference") or comparison.get("reference") or ""),
        jobs=files.each(where, jobs, 'a job: {"overrides": [...], "directory": path, "status": word}', _job(folder)),
        told=told,
    )


def _job(folder: Path) -> Any:
    def read(told: dict[str, Any]) -> Job:
        seed = told.get("seed")
        return Job(
            overrides=tuple(map(str, told["overrides"])),
            arm=str(told.get("arm") or ""),
            seed=None if seed is None else int(seed),
            directory=(folder / str(told["directory"])).resolve(),
            status=str(told.get("status") or ""),
            attempts=int(told.get("attempts") or 0),
            error=str(told.get("error") or ""),
        )

    return read
