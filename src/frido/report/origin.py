"""Where a run came from: its config, its command, code and versions."""

import json
from dataclasses import dataclass

from frido.report.notes import named
from frido.report.run import Run
from frido.report.section import Section, Subject
from frido.report.table import flat, say


@dataclass(frozen=True, slots=True)
class Origin:
    command: str
    facts: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    diff: str


def configs(subject: Subject) -> Section:
    """Return the frozen configs."""
    values = {"configs": [(member.name, member.run.config_text) for member in subject.members]}
    return Section("config", "Config", "Config", "config.html.j2", values)


def provenance(subject: Subject) -> Section:
    """Return commands, commits and versions."""
    origins = [(member.name, origin(member.run)) for member in subject.members]
    diffs: dict[str, list[str]] = {}
    for name, told in origins:
        if told.diff:
            diffs.setdefault(told.diff, []).append(name)
    values = {"origins": origins, "diffs": [(named(names, of=len(origins)), text) for text, names in diffs.items()]}
    return Section("provenance", "Provenance", "Provenance", "provenance.html.j2", values)


def origin(run: Run) -> Origin:
    """Return what `provenance.json` tells, in words."""
    told = dict(run.provenance)
    command, versions = told.pop("command", ""), told.pop("versions", {})
    continued = told.pop("continued", None) or []
    git = dict(told.pop("git", None) or {}) if isinstance(run.provenance.get("git"), dict) else {}
    diff = git.pop("diff", "")
    if isinstance(command, list):
        command = " ".join(map(str, command))
    facts = [(f"git.{key}", value) for key, value in flat(git)] + flat(told)
    links = [(f"stage.{name}", str(path.name)) for name, path in run.stages.items()]
    # Every command that went on with the run, without the rest that it recorded.
    links += [
        (f"continued {index}", " · ".join(str(again[key]) for key in ("time", "command") if key in again))
        for index, again in enumerate(continued, start=1)
        if isinstance(again, dict)
    ]
    return Origin(
        command=str(command),
        facts=tuple([(key, say(value)) for key, value in facts] + links),
        versions=tuple((key, say(value)) for key, value in flat(versions)) if isinstance(versions, dict) else (),
        diff=diff if isinstance(diff, str) else json.dumps(diff),
    )
