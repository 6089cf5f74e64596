"""A study's answer from its run directories: paired differences between arms, with intervals and verdicts."""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError, nearest
from frido.report import files, study
from frido.report.study import Job, Study
from frido.report.table import TOLD, differing, flat, protocol, refusal, say
from frido.report.verdicts import Asked, Margin, verdicts

FORMAT = 1
SET_BY = {
    "sampler": ("diffusion", "sampler"),
    "steps": ("diffusion", "sampler"),
    "guidance": ("diffusion", "guidance"),
    "teacher_forcing": ("diffusion", "teacher_forcing"),
    "ema": ("training", "denoiser", "averages"),
}
"""First words of a card's keys that an arm may set itself, and where: a study of samplers compares samplers."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run of a study: its settings and cards."""

    arm: str
    seed: int
    folder: str
    config: Mapping[str, Any]
    cards: Mapping[str, Mapping[str, Any]]

    def protocol(self, metric: str) -> dict[str, str]:
        """Return how a number was measured, as text by dotted key."""
        card = self.cards[metric]
        return protocol(tuple((key, say(leaf)) for key, leaf in flat(dict(card)) if key not in TOLD))

    def value(self, metric: str) -> float | None:
        value = self.cards.get(metric, {}).get("value")
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def compare(folder: Path) -> dict[str, Any]:
    """Return what the study in `folder` found, as JSON holds it.

    `comparisons` are the rows of `verdicts`. All that they rest on is there too: `numbers`, every number of every
    finished run by metric, arm and seed; `missing`, the runs that are not finished; `refused`, those whose numbers do
    not compare and so are left out, with the reason.

    Raises:
        FridoError: `folder` holds no study, or none that compares anything.
    """
    found = study.read(folder)
    asked = _asked(found)
    arms, seeds = _design(found, asked)
    runs, missing = _runs(found)
    used: dict[str, dict[str, dict[int, float]]] = {}
    protocols, refused = {}, []
    for metric in asked.metrics:
        alike, usual, others = _alike(metric, runs, asked.reference)
        protocols[metric] = usual
        refused += others
        for run, value in alike:
            used.setdefault(metric, {}).setdefault(run.arm, {})[run.seed] = value
    return {
        "format": FORMAT,
        "study": found.name,
        "command": found.told.get("command"),
        "comparison": found.told["comparison"],
        "arms": arms,
        "seeds": seeds,
        "comparisons": verdicts(used, asked, arms=arms, seeds=seeds),
        "missing": missing,
        "refused": refused,
        "protocols": protocols,
        "numbers": _numbers(runs),
        "runs": [{"arm": run.arm, "seed": run.seed, "directory": run.folder} for run in runs],
    }


def _asked(found: Study) -> Asked:
    where, told = found.path / study.FILE, found.told.get("comparison")
    if not isinstance(told, dict):
        raise FridoError(
            str(where),
            got="a sweep that compares nothing",
            wanted="a study with margins, written before it ran",
            do="write `comparison:` into conf/study/NAME.yaml, see shared_vs_per_scale",
        )
    try:
        metrics = {name: Margin(float(one["margin"]), one["better"]) for name, one in told["metrics"].items()}
        named = {name: told[name] for name in ("question", "reference", "confidence", "correction")}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        got = f"{type(error).__name__}: {error}"
        wanted = "question, reference, confidence, correction, metrics with margin and better"
        raise FridoError(f"{where}, comparison", got=got, wanted=wanted, do=files.MEND) from None
    return Asked(**named, metrics=metrics)


def _design(found: Study, asked: Asked) -> tuple[list[str], list[int]]:
    """Return arms and seeds; a study in which anything else varies has no pairs."""
    arms = list(dict.fromkeys(job.arm for job in found.jobs))
    seeds = list(dict.fromkeys(job.seed for job in found.jobs if job.seed is not None))
    others = {tuple(o for o in job.overrides if not o.startswith(("arm=", "seed="))) for job in found.jobs}
    if len(others) > 1:
        common = set.intersection(*(set(words) for words in others))
        several = sorted({word for words in others for word in words} - common)
        raise FridoError(
            str(found.path / study.FILE),
            got=f"jobs that differ in {', '.join(several)}",
            wanted="jobs that differ in arm= and seed= alone, so that runs of one seed are pairs",
            do="a file in conf/arm for each combination",
        )
    if asked.reference not in arms:
        do = f"comparison.reference={(nearest(asked.reference, arms) or arms or ['ARM'])[0]}"
        raise FridoError("comparison.reference", got=asked.reference, wanted=f"one of {', '.join(arms)}", do=do)
    return arms, seeds


def _runs(found: Study) -> tuple[list[Run], list[dict[str, Any]]]:
    """Return the finished runs, and what is known of the other jobs."""
    runs, missing = [], []
    for job in found.jobs:
        if job.seed is None or job.status != "finished":
            missing.append({"arm": job.arm, "seed": job.seed, "why": _why(job)})
            continue
        cards = files.read_json(job.directory / "evaluation.json", dict)
        config = files.read_yaml(job.directory / "config.yaml")
        runs.append(Run(job.arm, job.seed, os.path.relpath(job.directory, found.path), config, cards))
    return runs, missing


def _why(job: Job) -> str:
    return f"{job.status}: {job.error.splitlines()[0]}" if job.error else job.status or "not known"


def _alike(
    metric: str, runs: Sequence[Run], reference: str
) -> tuple[list[tuple[Run, float]], dict[str, str], list[dict[str, Any]]]:
    """Return the runs whose numbers compare, how the reference's was measured, and the runs that are refused."""
    measured, refused = [], []
    for run in runs:
        value = run.value(metric)
        if value is None:
            refused.append(_refused(metric, run, _no_number(metric, run)))
        else:
            measured.append((run, value))
    kinds = Counter(tuple(sorted(run.protocol(metric).items())) for run, _ in measured if run.arm == reference)
    if not kinds:
        return [], {}, refused
    usual = dict(kinds.most_common(1)[0][0])
    example = next(run for run, _ in measured if run.arm == reference and run.protocol(metric) == usual)
    alike = []
    for run, value in measured:
        own = run.protocol(metric)
        keys = [key for key in differing([usual, own]) if not _set_by_arm(key, run, example)]
        if keys:
            why = "; ".join(f"{key} is {own.get(key)}, of {reference} {usual.get(key)}" for key in keys)
            refused.append(_refused(metric, run, f"measured otherwise: {why}"))
        else:
            alike.append((run, value))
    return alike, usual, refused


def _set_by_arm(key: str, run: Run, example: Run) -> bool:
    """Return whether two runs were drawn differently because their settings say so."""
    place = SET_BY.get(key.partition(".")[0])
    return place is not None and _at(run.config, place) != _at(example.config, place)


def _at(config: Mapping[str, Any], place: Sequence[str]) -> Any:
    node: Any = config
    for word in place:
        node = node.get(word) if isinstance(node, Mapping) else None
    return node


def _no_number(metric: str, run: Run) -> str:
    if metric in run.cards:
        return refusal(dict(run.cards[metric])) or "its card has no finite value"
    known = nearest(metric, run.cards) or sorted(run.cards)[:3]
    return f"not measured; evaluation.json has {', '.join(known) or 'nothing'}"


def _refused(metric: str, run: Run, why: str) -> dict[str, Any]:
    return {"metric": metric, "arm": run.arm, "seed": run.seed, "why": why}


def _numbers(runs: Sequence[Run]) -> dict[str, dict[str, dict[str, float]]]:
    """Return every number of every run; seeds are text, as keys of JSON are."""
    numbers: dict[str, dict[str, dict[str, float]]] = {}
    for run in runs:
        for metric in run.cards:
            value = run.value(metric)
            if value is not None:
                numbers.setdefault(metric, {}).setdefault(run.arm, {})[str(run.seed)] = value
    return numbers
