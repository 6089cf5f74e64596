"""What several runs have in common and what not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from frido.report.run import Run, Samples
from frido.report.table import flat, say

MISSING = "(not there)"


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting in which runs differ; `values` has one text per run, `also` the settings that follow it."""

    key: str
    also: tuple[str, ...]
    values: tuple[str, ...]


def differences(runs: Sequence[Run]) -> tuple[Difference, ...]:
    """Return the settings that are not equal in all runs, in the order of the first config."""
    leaves = [dict(flat(run.config)) for run in runs]
    keys = dict.fromkeys(key for settings in leaves for key in settings)
    # Differences in kind, an empty mapping against a full one, are told by the leaves of the full one.
    rows = [
        Difference(key, (), tuple(say(settings[key]) if key in settings else MISSING for settings in leaves))
        for key in keys
    ]
    return _joined([row for row in rows if len(set(row.values)) > 1])


def _joined(rows: Sequence[Difference]) -> tuple[Difference, ...]:
    """Return rows without those that only follow another: the same word at its end, the same values."""
    found: dict[tuple[str, tuple[str, ...]], Difference] = {}
    for row in rows:
        same = (row.key.rpartition(".")[2], row.values)
        first = found.get(same)
        found[same] = replace(first, also=(*first.also, row.key)) if first else row
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Place:
    """Where one scene is found: its row in each run's samples, `None` where a run did not draw it."""

    rows: tuple[int | None, ...]


def aligned(samples: Sequence[Samples | None]) -> tuple[Place, ...]:
    """Return the places of every scene, scenes that most runs share first, else in order of appearance.

    Scenes are the same when id, objects and relationships are.
    """
    places: dict[object, list[int | None]] = {}
    for column, group in enumerate(samples):
        times: Counter[object] = Counter()
        for row, scene in enumerate(group.scenes if group else ()):
            same = (scene.id, scene.objects, scene.relationships)
            times[same] += 1  # a scene drawn twice has two places
            places.setdefault((same, times[same]), [None] * len(samples))[column] = row
    found = [Place(tuple(rows)) for rows in places.values()]
    return tuple(sorted(found, key=lambda place: place.rows.count(None)))  # sorting keeps order among equals
