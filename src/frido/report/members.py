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
WORDS = 40  # letters of an arm's made-up name, at most


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
    keys = [_but_for_seeds(run) for run in runs]
    joined = _joined(keys, [[arm for arm, _ in told.get(str(run.path), [])] for run in runs])
    order = list(dict.fromkeys(joined))
    names = _arm_names(runs, joined, order, told)
    own = _names(runs)
    made = []
    for place, run in enumerate(runs):
        arm = order.index(joined[place])
        seeds = joined.count(joined[place])
        seed = next((seed for _, seed in told.get(str(run.path), []) if seed is not None), run.config.get("seed"))
        made.append(
            Member(
                run=run,
                place=place,
                name=own[place],
                arm=arm,
                arm_name=names[arm],
                seeds=seeds,
                seed=seed if isinstance(seed, int) else None,
                color=arm % COLORS,
                dash=arm // COLORS % DASHES,
            )
        )
    return _called(made, bool(told))


def _told(studies: Sequence[Study]) -> dict[str, list[tuple[str, int | None]]]:
    """Return what studies call the run in a folder: arm, with the study's reference in mind, and seed."""
    told: dict[str, list[tuple[str, int | None]]] = {}
    for study in studies:
        for job in study.jobs:
            if job.arm:
                told.setdefault(str(job.directory), []).append((job.arm, job.seed))
    return told


def _but_for_seeds(run: Run) -> str:
    """Return all settings that decide a result, as text; of a run without any, its folder."""
    if not run.config:
        return str(run.path)
    settings = {key: value for key, value in run.config.items() if key not in NO_RESULT}
    leaves = [(key, say(value)) for key, value in flat(settings) if key not in SEEDS]
    return json.dumps(sorted(leaves))


def _joined(keys: Sequence[str], arms: Sequence[Sequence[str]]) -> list[str]:
    """Return one key per run, the same for all runs that settings or a study's word tie together."""
    root: dict[str, str] = {}

    def find(key: str) -> str:
        while root.setdefault(key, key) != key:
            key = root[key]
        return key

    for key, names in zip(keys, arms, strict=True):
        for name in names:
            root[find(f"arm {name}")] = find(key)
    return [find(key) for key in keys]


def _arm_names(
    runs: Sequence[Run],
    joined: Sequence[str],
    order: Sequence[str],
    told: dict[str, list[tuple[str, int | None]]],
) -> list[str]:
    names = []
    first = [runs[joined.index(key)] for key in order]
    recipes = [run.recipe for run in first]
    for key, run in zip(order, first, strict=True):
        said = [
            arm for other, of in zip(runs, joined, strict=True) if of == key for arm, _ in told.get(str(other.path), [])
        ]
        if said:
            names.append(" = ".join(dict.fromkeys(said)))
        elif len(set(recipes)) == len(recipes):
            names.append(run.recipe)
        else:
            names.append(_apart(run, first) or run.path.name)
    return names if len(set(names)) == len(names) else [f"{name} {place}" for place, name in enumerate(names)]


def _apart(run: Run, all_runs: Sequence[Run]) -> str:
    """Return the settings that set a run apart from the others in a few words, or "" where they are many."""
    leaves = [dict(flat(other.config)) for other in all_runs]
    keys = dict.fromkeys(key for settings in leaves for key in settings if key not in SEEDS)
    apart = [key for key in keys if len({say(settings.get(key)) for settings in leaves}) > 1]
    own = dict(flat(run.config))
    text = ", ".join(f"{key.rpartition('.')[2]}={say(own[key])}" for key in apart[:3] if key in own)
    return text if len(apart) <= 3 and len(text) <= WORDS else ""


def _names(runs: Sequence[Run]) -> list[str]:
    """Return what tells runs apart, the shortest that does: recipe, folder, both, or the whole path."""
    choices = ([run.recipe for run in runs], [run.path.name for run in runs], [run.name for run in runs])
    return next((names for names in choices if len(set(names)) == len(runs)), [str(run.path) for run in runs])


def _called(made: Sequence[Member], of_study: bool) -> tuple[Member, ...]:
    """Return the members named by arm and seed, where a study named the arms and that tells them apart."""
    called = [f"{member.arm_name} · seed {member.seed}" for member in made]
    fits = of_study and len(set(called)) == len(called) and all(member.seed is not None for member in made)
    return tuple(replace(member, name=name) for member, name in zip(made, called, strict=True)) if fits else tuple(made)
