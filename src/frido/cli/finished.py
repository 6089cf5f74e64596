"""Which stages of a run are done: `finished.json`, and the page that the last of them writes."""

import json
from collections.abc import Sequence

from frido.cli.rundir import RunDirectory
from frido.contracts import atomic

NAME = "finished.json"


def stages(directory: RunDirectory) -> list[str]:
    """Return the stages that are done."""
    file = directory.path / NAME
    return json.loads(file.read_text())["stages"] if file.is_file() else []


def with_page(directory: RunDirectory, asked: Sequence[str]) -> bool:
    """Return whether the stages `asked` for are done, and there is a page of them."""
    return directory.report is not None and set(asked) <= set(stages(directory))


def note(directory: RunDirectory, done: Sequence[str]) -> None:
    """Add stages to those that are done."""
    atomic.write_json(directory.path / NAME, {"stages": sorted({*stages(directory), *done})})
