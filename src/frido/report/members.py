"""Runs on a page: what each is called, which belong to one arm, and how they are drawn."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from frido.report.run import Run
from frido.report.study import Study
from frido.report.table import flat, say

COLORS, DASHES = 8, 8  # of the page's style
NO_RESULT = ("hardware", "engine", "tracking", "run", "stages", "metrics", "comparison")
"""Settings that change how a run is made or looked at, not what is trained."""
SEEDS = ("seed", "task.seed", "training.denoiser.seed")  # the last two follow the first
WORDS, SETTINGS = 60, 3  # of an arm's made-up name, at most: letters, settings


@dataclass(frozen=True, slots=True)
class Member:
    """A run and its place on the page.

    Args:
        place: Among all runs.
        arm: Runs of one arm differ in their seed alone; a number from 0.
        arm_name: As the study calls it, else what sets it apart.
        seeds: How many runs the arm has.
        color: Of the page's palette; of an arm, so its runs share it.
        dash: Of the page's dashes, for when colours repeat.
    """

    run: Run
    place: int
    name: str
    arm: int
    arm_name: str
    seeds: int
    seed: int | None
    color: int
    dash: int


def members(runs: Sequence[Run], studies: Sequence[Study]) -> tuple[Member, ...]:
    """Return the runs in their order, each with its arm.

    Runs are of one arm where their settings are equal but for seeds, or where a study says so; an arm that two
    studies call differently has both names.
    """
    told = _told(studies)
    ties = [[place.key for place in told.get(str(run.path), [])] for run in runs]
    joined = _joined([_but_for_seeds(run) for run in runs], ties)
    order = list(dict.fromkeys(joined))
    names = _arm_names(runs, joined, order, told)
    own = _names(runs)
    made = []
    for number, run in enumerate(runs):
        arm = order.index(joined[number])
        seeds = joined.count(joined[number])
        seed = next((place.seed for place in told.get(str(run.path), [])), run.config.get("seed"))
        made.append(
            Member(
                run=run,
                place=number,
                name=own[number],
                arm=arm,
                arm_name=names[arm],
                seeds=seeds,
                seed=seed if isinstance(seed, int) else None,
                color=arm % COLORS,
                dash=arm // COLORS % DASHES,
            )
        )
    return _called(made)


@dataclass(frozen=True, slots=True)
class _Place:
    """What a study says of a run; jobs of equal `key` differ in their seed alone."""

    study: str
    arm: str
    seed: int | None
    key: str


def _told(studies: Sequence[Study]) -> dict[str, list[_Place]]:
    """Return what studies say of the run in each folder."""
    told: dict[str, list[_Place]] = {}
    for study in studies:
        for job in study.jobs:
            if job.arm:
                others = [override for override in job.overrides if not override.startswith("seed=")]
                key = json.dumps([str(study.path), job.arm, sorted(others)])
                told.setdefault(str(job.directory), []).append(_Place(study.name, job.arm, job.seed, key))
    return told


def _but_for_seeds(run: Run) -> str:
    """Return all settings that decide a result, as one text; of a run without any, its folder."""
    return json.dumps(sorted(_decisive(run).items())) if run.config else str(run.path)


def _joined(keys: Sequence[str], ties: Sequence[Sequence[str]]) -> list[str]:
    """Return one key per run, the same for all runs whose keys are equal or that a tie binds to each other."""
    root: dict[str, str] = {}

    def find(key: str) -> str:
        while root.setdefault(key, key) != key:
            key = root[key]
        return key

    for key, of in zip(keys, ties, strict=True):
        for tie in of:
            root[find(tie)] = find(key)
    return [find(key) for key in keys]


def _arm_names(
    runs: Sequence[Run],
    joined: Sequence[str],
    order: Sequence[str],
    told: dict[str, list[_Place]],
) -> list[str]:
    """Return what studies call the arms, else their recipes or what sets them apart; "" where nothing short does."""
    first = [runs[joined.index(key)] for key in order]
    recipes = [run.recipe for run in first]
    short, long = [], []
    for key, run in zip(order, first, strict=True):
        own = [str(other.path) for other, of in zip(runs, joined, strict=True) if of == key]
        places = [place for path in own for place in told.get(path, [])]
        apart = run.recipe if len(set(recipes)) == len(recipes) else _apart(run, first)
        short.append(" = ".join(dict.fromkeys(place.arm for place in places)) or apart)
        long.append(" = ".join(dict.fromkeys(f"{place.arm} ({place.study})" for place in places)) or apart)
    return next((names for names in (short, long) if len(set(names)) == len(names)), [""] * len(short))


def _apart(run: Run, all_runs: Sequence[Run]) -> str:
    """Return the settings that set a run apart from the others in a few words, or "" where they are many."""
    leaves = [_decisive(other) for other in all_runs]
    keys = dict.fromkeys(key for settings in leaves for key in settings)
    apart = [key for key in keys if len({settings.get(key) for settings in leaves}) > 1]
    own = _decisive(run)
    text = ", ".join(setting(key, own[key]) for key in apart if key in own)
    return text if len(apart) <= SETTINGS and len(text) <= WORDS else ""


def _decisive(run: Run) -> dict[str, str]:
    """Return the settings that decide a result, without seeds, as text by dotted key."""
    settings = {key: value for key, value in run.config.items() if key not in NO_RESULT}
    return {key: say(value) for key, value in flat(settings) if key not in SEEDS}


def setting(key: str, value: str) -> str:
    """Return a setting by its last word; of a class its name: `trunk=SharedTrunk`."""
    place, _, last = key.rpartition(".")
    if last == "_target_":
        return f"{place.rpartition('.')[2]}={value.rpartition('.')[2]}"
    return f"{last}={value}"


def _names(runs: Sequence[Run]) -> list[str]:
    """Return what tells runs apart, the shortest that does: recipe, folder, both, or the whole path."""
    choices = ([run.recipe for run in runs], [run.path.name for run in runs], [run.name for run in runs])
    return next((names for names in choices if len(set(names)) == len(runs)), [str(run.path) for run in runs])


def _called(made: Sequence[Member]) -> tuple[Member, ...]:
    """Return the members named by their arms, and seeds where arms have several; where that tells them apart."""
    seeds = any(member.seeds > 1 for member in made)
    called = [f"{member.arm_name} · seed {member.seed}" if seeds else member.arm_name for member in made]
    fits = len(set(called)) == len(called) and all(member.arm_name for member in made)
    if not fits or any(seeds and member.seed is None for member in made):
        return tuple(replace(member, arm_name=member.arm_name or f"arm {member.arm}") for member in made)
    return tuple(replace(member, name=name) for member, name in zip(made, called, strict=True))
