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
from frido.report import template
from frido.report.compare import differences
from frido.report.curves import duration_seconds, panels, throughput
from frido.report.first_stage import first_stages
from frido.report.gallery import galleries
from frido.report.notes import is_first_stage_alone, notes, status
from frido.report.numbers import count, duration, short
from frido.report.picture import embed
from frido.report.run import Run, read
from frido.report.speed import profiles, speeds
from frido.report.table import flat, rows, say

SHOWN_SCENES = 24
SHOWN_MOMENTS = 4  # pictures shown of one periodic grid, evenly spread, first and last among them


def write(run_dirs: Sequence[Path], out: Path, *, scenes: int = SHOWN_SCENES) -> Path:
    """Write the page of `run_dirs` to `out` and return it; several runs are shown side by side.

    Args:
        run_dirs: At least one run directory.
        out: The HTML file, replaced whole.
        scenes: At most this many scenes are shown of each set of samples.

    Raises:
        FridoError: A directory is no run, a file in it is malformed, or `out` cannot be written.
    """
    runs = [read(Path(directory)) for directory in run_dirs]
    text = render(runs, scenes=scenes)
    try:
        atomic.write_text(Path(out), text)
    except OSError as error:
        raise FridoError(
            f"report {out}", got=error, wanted="a file that can be written", do="Give --out another place."
        ) from None
    return Path(out)


def render(runs: Sequence[Run], *, scenes: int) -> str:
    """Return the page as text."""
    style, script = (template.text(name) for name in ("page.css", "page.js"))
    # The browser itself refuses whatever is not in the file, and any script but ours.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    table, names = rows(runs), _names(runs)
    return template.filled(
        "page.html.j2",
        {
            "title": runs[0].recipe if len(runs) == 1 else f"{len(runs)} runs side by side",
            "policy": policy,
            "style": Markup(style),
            "script": Markup(script),
            "several": len(runs) > 1,
            "names": names,
            "heads": [_head(run) for run in runs],
            "notes": notes(runs, names, table),
            "metrics": table,
            "first": first_stages(runs, names),
            "differences": differences(runs) if len(runs) > 1 else (),
            "galleries": galleries(runs, limit=scenes),
            "panels": panels(runs, names),
            "pictures": _periodic(runs, names),
            "speeds": speeds(runs, names),
            "profiles": profiles(runs, names),
            "throughput": throughput(runs, names),
            "configs": [(name, run.config_text) for name, run in zip(names, runs, strict=True)],
            "provenance": [(name, _provenance(run)) for name, run in zip(names, runs, strict=True)],
        },
    )


def _names(runs: Sequence[Run]) -> list[str]:
    """Return what tells runs apart, the shortest that does: recipe, folder, both, or the whole path."""
    choices = ([run.recipe for run in runs], [run.path.name for run in runs], [run.name for run in runs])
    return next((names for names in choices if len(set(names)) == len(runs)), [str(run.path) for run in runs])


def _head(run: Run) -> dict[str, Any]:
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


def _periodic(runs: Sequence[Run], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the pictures taken while training; a first stage that runs share is shown once."""
    shown = []
    seen: set[Path] = set()
    for label, run in zip(names, runs, strict=True):
        for stage, part in (("second stage", run), ("first stage", run.first_stage)):
            if not part or part.path in seen:
                continue
            seen.add(part.path)
            for name, moments in part.pictures.items():
                steps = min(SHOWN_MOMENTS, len(moments))
                chosen = [moments[round(i * (len(moments) - 1) / max(steps - 1, 1))] for i in range(steps)]
                shown.append(
                    {
                        "run": label,
                        "stage": stage,
                        "name": name,
                        "moments": [
                            (count(images), embed(path)) for images, path in (chosen if steps > 1 else moments[-1:])
                        ],
                    }
                )
    return shown


def _provenance(run: Run) -> dict[str, Any]:
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
    return {
        "command": str(command),
        "facts": [(key, say(value)) for key, value in facts] + links,
        "versions": [(key, say(value)) for key, value in flat(versions)] if isinstance(versions, dict) else [],
        "diff": diff if isinstance(diff, str) else json.dumps(diff),
    }
