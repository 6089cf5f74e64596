"""A study at Weights & Biases: `python -m frido.report.workspace STUDY` writes a workspace and a report as JSON.

Both are made without a network; `--publish` saves them at W&B.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from frido.contracts import atomic
from frido.contracts.errors import FridoError
from frido.report import files, study
from frido.report.run import Run, read
from frido.report.study import Study
from frido.report.table import CONTROL

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a3d9a", "#7f7f7f")
CODEBOOKS = ("usage_", "perplexity_", "dead_codes_")
ARM = "sweep.arm"
ALL_RUNS = 100
LONGEST_TITLE = 128


class Arm(NamedTuple):
    """Runs that were tracked: their `ids` at W&B, and what they left here."""

    name: str
    ids: tuple[str, ...]
    runs: tuple[Run, ...]


class Tracked(NamedTuple):
    """A study as W&B is to show it; `untracked` are the directories of jobs that it was never told of."""

    study: Study
    project: str
    arms: tuple[Arm, ...]
    first_stages: Arm
    untracked: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"Study {self.study.name}"[:LONGEST_TITLE]


def tracked(folder: Path) -> Tracked:
    """Return what `study.json` of a sweep and the run directories of its jobs say.

    Raises:
        FridoError: It is no study, or none of its runs was tracked at W&B.
    """
    if not study.is_study(folder):
        do = "python -m frido.run study=NAME makes one."
        raise FridoError(str(folder), got="no study.json", wanted="the folder of a study: runs/studies/NAME", do=do)
    of = study.read(folder)
    found: dict[str, list[tuple[str, Run]]] = {}
    untracked = []
    for job in of.jobs:
        identity = _id(job.directory)
        if identity is None:
            untracked.append(job.directory.name)
        else:
            found.setdefault(job.arm or "all", []).append((identity, read(job.directory)))
    if not found:
        do = "Run the study with tracking=offline or tracking=online."
        got = f"{len(untracked)} jobs, none of them tracked at W&B"
        raise FridoError(str(folder), got=got, wanted="runs with a wandb.json", do=do)
    runs = [run for members in found.values() for _, run in members]
    first = {run.first_stage.path: run.first_stage for run in runs if run.first_stage}
    told = [(identity, run) for path, run in first.items() if (identity := _id(path)) is not None]
    projects = [run.config.get("tracking", {}).get("project") for run in runs]
    return Tracked(
        study=of,
        project=next((str(name) for name in projects if name), "frido"),
        arms=tuple(_arm(name, members) for name, members in found.items()),
        first_stages=_arm("first stage", told),
        untracked=tuple(untracked),
    )


def _arm(name: str, members: Sequence[tuple[str, Run]]) -> Arm:
    return Arm(name, tuple(identity for identity, _ in members), tuple(run for _, run in members))


def workspace(of: Tracked, *, entity: str) -> Any:
    """Return the workspace: the study's runs, coloured by arm, with finals, curves, codebooks, pictures, settings."""
    ws, wr = _library()
    sections = [
        ws.Section(name="Final numbers", panels=_bars(of, wr), is_open=True, pinned=True),
        *(ws.Section(name=name, panels=panels, is_open=True) for name, panels in _curves(of, wr).items()),
        ws.Section(name="Pictures", panels=_media(of, wr), is_open=True),
        ws.Section(name="What differs in the settings", panels=[wr.RunComparer(diff_only="split")]),
    ]
    colors = {
        identity: ws.RunSettings(color=COLORS[place % len(COLORS)])
        for place, arm in enumerate(of.arms)
        for identity in arm.ids
    }
    ids = [identity for arm in (*of.arms, of.first_stages) for identity in arm.ids]
    return ws.Workspace(
        entity=entity,
        project=of.project,
        name=of.title,
        sections=[section for section in sections if section.panels],
        settings=ws.WorkspaceSettings(x_axis="images", max_runs=ALL_RUNS),
        runset_settings=ws.RunsetSettings(filters=_these(ids), run_settings=colors),
    )


def report(of: Tracked, *, entity: str) -> Any:
    """Return the report: the question, a set of runs per arm, and every number with one line or bar per arm."""
    _, wr = _library()
    sets = [
        wr.Runset(  # of the report's own project: one that is named would be looked up
            name=arm.name + (" (reference)" if arm.name == of.study.reference else ""),
            filters=_these(arm.ids),
            groupby=[f"config.{ARM}"],
            run_settings={identity: wr.RunSettings(color=COLORS[place % len(COLORS)]) for identity in arm.ids},
        )
        for place, arm in enumerate(of.arms)
    ]
    arms = "\n".join(f"- **{arm.name}**: {len(arm.ids)} runs" for arm in of.arms)
    missing = f"\n\nNot tracked here: {', '.join(of.untracked)}." if of.untracked else ""
    note = "Lines are means over the runs of an arm, bands from the least to the largest; bars show one deviation."
    blocks = [wr.MarkdownBlock(f"{of.study.question}\n\n{arms}{missing}\n\n{note}")]
    parts = {"Final numbers": _bars(of, wr), **_curves(of, wr), "Pictures": _media(of, wr)}
    for name, panels in parts.items():
        if panels:
            blocks += [wr.H2(name), wr.PanelGrid(runsets=sets, panels=panels)]
    return wr.Report(entity=entity, project=of.project, title=of.title, description=of.study.question, blocks=blocks)


def specification(of: Tracked, *, entity: str) -> dict[str, Any]:
    """Return workspace and report as W&B's service takes them, and what was left out."""
    return {
        "study": of.study.name,
        "workspace": workspace(of, entity=entity)._to_model().model_dump(mode="json", by_alias=True, exclude_none=True),
        "report": report(of, entity=entity)._to_model().model_dump(mode="json", by_alias=True, exclude_none=True),
        "untracked": list(of.untracked),
    }


def _bars(of: Tracked, wr: Any) -> list[Any]:
    """Return a panel per score: its full name holds the protocol, so no axis holds two."""
    cards = {name: card for arm in of.arms for run in arm.runs for name, card in run.evaluation.items()}
    names = [name for name, card in cards.items() if not CONTROL.search(name) and "refused" not in card]
    return [
        wr.BarPlot(
            title=name, metrics=[name], groupby=wr.Config(ARM), groupby_aggfunc="mean", groupby_rangefunc="stddev"
        )
        for name in sorted(names)
    ]


def _curves(of: Tracked, wr: Any) -> dict[str, list[Any]]:
    """Return panels by the first part of the number's name: the phase or family; codebooks have a part of their own."""
    runs = [run for arm in (*of.arms, of.first_stages) for run in arm.runs]
    names = sorted({name for run in runs for name, points in run.metrics.items() if len(points) > 1})
    found: dict[str, list[Any]] = {}
    for name in names:
        part = "Codebooks" if any(word in name for word in CODEBOOKS) else f"Curves: {name.split('/')[0]}"
        panel = wr.LinePlot(
            title=name,
            x="images",
            y=[name],
            groupby=wr.Config(ARM),
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
            max_runs_to_show=ALL_RUNS,
        )
        found.setdefault(part, []).append(panel)
    return found


def _media(of: Tracked, wr: Any) -> list[Any]:
    keys = sorted({name for arm in of.arms for run in arm.runs for name in run.pictures})
    if not keys:
        return []
    return [
        wr.MediaBrowser(title="While training", media_keys=keys, mode="grid", grid_x_axis="step", grid_y_axis="run")
    ]


def _these(ids: Sequence[str]) -> str:
    """Return W&B's words for the runs of these ids: exactly those, whichever study they were computed for."""
    return f"Metric('ID') in {list(ids)}"


def _id(directory: Path) -> str | None:
    told = files.read_json(directory / "wandb.json", dict)
    return str(told["id"]) if "id" in told else None


def _library() -> tuple[Any, Any]:
    try:
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise FridoError(
            "a workspace at W&B", got=error, wanted="the package wandb-workspaces", do="pip install 'frido[workspaces]'"
        ) from None
    return ws, wr


def publish(of: Tracked, *, entity: str) -> list[str]:
    """Save workspace and report at W&B, as new ones; return their addresses.

    Raises:
        FridoError: Nobody is logged in there.
    """
    from frido.tracking.wandb import logged_in

    if not logged_in():
        raise FridoError("--publish", got="no key of W&B", wanted="a machine that is logged in", do="wandb login")
    return [made(of, entity=entity).save().url for made in (workspace, report)]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the specification, print its path, return the exit code: 0, or 2 with a four-part message."""
    parser = argparse.ArgumentParser(prog="python -m frido.report.workspace", description=__doc__)
    parser.add_argument("study", type=Path, metavar="STUDY", help="the folder of a study: runs/studies/NAME")
    parser.add_argument("--out", type=Path, help="the JSON file (STUDY/wandb_workspace.json)")
    parser.add_argument("--entity", default=os.environ.get("WANDB_ENTITY", ""), help="user or team at W&B")
    parser.add_argument("--publish", action="store_true", help="save both at W&B as well")
    arguments = parser.parse_args(argv)
    try:
        of = tracked(arguments.study)
        out = arguments.out or arguments.study / "wandb_workspace.json"
        text = json.dumps(specification(of, entity=arguments.entity), indent=1)
        atomic.write_text(out, text + "\n")
        print("\n".join([str(out), *(publish(of, entity=arguments.entity) if arguments.publish else [])]))
    except FridoError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
