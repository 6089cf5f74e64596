"""Run directories in, one self-contained HTML page out."""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from frido.contracts import atomic
from frido.contracts.errors import FridoError
from frido.report import (
    answers,
    breakdown,
    curves,
    differences,
    explorer,
    failures,
    filmstrips,
    finals,
    first_stage,
    gallery,
    health,
    moments,
    origin,
    overview,
    pareto,
    reconstructions,
    speed,
    template,
)
from frido.report.curves import duration_seconds
from frido.report.gather import gather
from frido.report.members import Member
from frido.report.notes import is_first_stage_alone, notes, status, together
from frido.report.numbers import count, duration, short
from frido.report.section import Section, Subject
from frido.report.table import rows
from frido.report.vendor import library

SHOWN_SCENES = 24

SECTIONS = (
    answers.section,
    overview.section,
    differences.section,
    finals.section,
    pareto.section,
    gallery.section,
    explorer.section,
    filmstrips.section,
    moments.section,
    curves.section,
    breakdown.section,
    first_stage.section,
    reconstructions.section,
    health.section,
    speed.section,
    failures.section,
    origin.configs,
    origin.provenance,
)
"""What a page shows, from top to bottom; each is a function of the subject and returns a `Section`, or `None`."""

SCRIPTS = ("core.js", "state.js", "theme.js", "links.js", "tip.js", "charts.js", "curves.js", "finals.js", "runs.js")
STYLES = ("page.css", "charts.css", "runs.css")


def write(run_dirs: Sequence[Path], out: Path, *, scenes: int = SHOWN_SCENES) -> Path:
    """Write the page of `run_dirs` to `out` and return it; several runs are shown side by side.

    Args:
        run_dirs: Run directories and folders of studies, at least one.
        out: The HTML file, replaced whole.
        scenes: At most this many scenes are shown of each set of samples.

    Raises:
        FridoError: A directory is no run, a file in it is malformed, or `out` cannot be written.
    """
    text = render(gather(run_dirs, scenes=scenes))
    try:
        atomic.write_text(Path(out), text)
    except OSError as error:
        raise FridoError(
            f"report {out}", got=error, wanted="a file that can be written", do="Give --out another place."
        ) from None
    return Path(out)


def render(subject: Subject, *, scripts: Sequence[str] = (), connect: str = "") -> str:
    """Return the page as text.

    Args:
        subject: What `gather` found.
        scripts: Files below `templates/` to run after the page's own.
        connect: What they may talk to, in the words of a content policy; "" allows nothing.
    """
    sections = [section for make in SECTIONS if (section := make(subject))]
    own = _joined([*SCRIPTS, *(name for section in sections for name in section.scripts), *scripts])
    style = _joined([*STYLES, *(name for section in sections for name in section.styles)])
    programs = [library(), own]
    seen = {"members": subject.members, "names": subject.names, "several": subject.several}
    return template.filled(
        "page.html.j2",
        seen
        | {
            "title": _title(subject),
            "policy": policy(programs, connect),
            "style": Markup(style),
            "programs": [Markup(program) for program in programs],
            "data": Markup(_json(_data(subject, sections))),
            "heads": [_head(member) for member in subject.members],
            "studies": subject.studies,
            "notes": together(notes(subject.runs, subject.names, rows(subject.runs)), of=len(subject.members)),
            "sections": [
                (section, Markup(template.filled(section.partial, seen | {"id": section.id} | dict(section.values))))
                for section in sections
            ],
        },
    )


def policy(programs: Sequence[str], connect: str) -> str:
    """Return a content policy: the browser itself refuses whatever is not in the file, and any script but these."""
    digests = (base64.b64encode(hashlib.sha256(program.encode()).digest()).decode() for program in programs)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    talk = f"; connect-src {connect}" if connect else ""
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}{talk}"


def _joined(names: Sequence[str]) -> str:
    return "\n".join(template.text(name) for name in dict.fromkeys(names))


def _json(value: Any) -> str:
    """Return JSON that no HTML parser mistakes for the end of its element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _data(subject: Subject, sections: Sequence[Section]) -> dict[str, Any]:
    keys = ("name", "arm", "seed", "color", "dash")
    arms = {member.arm: {"name": member.arm_name, "seeds": member.seeds} for member in subject.members}
    return {
        "runs": [{key: getattr(member, key) for key in keys} for member in subject.members],
        "arms": [arms[number] for number in sorted(arms)],
        "sections": {section.id: section.data for section in sections if section.data is not None},
    }


def _title(subject: Subject) -> str:
    if subject.studies:
        return ", ".join(study.name for study in subject.studies)
    return f"{len(subject.members)} runs side by side" if subject.several else subject.runs[0].recipe


def _head(member: Member) -> dict[str, Any]:
    run = member.run
    kind, words = status(run)
    facts = [("Images seen", count(run.images_seen))]
    if run.first_stage and is_first_stage_alone(run):
        facts = [("Images seen by the first stage", count(run.first_stage.images_seen))]
    parameters = run.provenance.get("parameters")
    if isinstance(parameters, dict):
        facts += [(f"Parameters, {name}", short(value)) for name, value in parameters.items() if isinstance(value, int)]
    elif isinstance(parameters, int):
        facts.append(("Parameters", short(parameters)))
    stages = [("First stage", run.first_stage), ("Second stage", run)]
    for name, part in stages:
        seconds = duration_seconds(part) if part else 0.0
        if seconds:
            facts.append((f"{name} trained for", duration(seconds)))
    sampled = sum(len(samples.scenes) for samples in run.samples.values())
    if sampled:
        facts.append(("Scenes drawn", count(sampled)))
    return {"where": run.name, "folder": run.path.name, "kind": kind, "status": words, "facts": facts}
