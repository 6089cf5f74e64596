"""Which stages of a run are done: `finished.json`, and the page that the last of them writes."""

import json
from collections.abc import Mapping
from typing import Any

from frido.cli.rundir import RunDirectory, content_hash
from frido.contracts import atomic

NAME = "finished.json"
MEASURED = ("evaluate", "report")
"""Stages that are to be done again where other metrics are asked for."""


def stages(directory: RunDirectory, metrics: Mapping[str, Any]) -> set[str]:
    """Return the stages that are done; with other `metrics` than these, the samples are still to be scored."""
    file = directory.path / NAME
    noted = json.loads(file.read_text()) if file.is_file() else {"stages": []}
    same = noted.get("metrics", content_hash(metrics)) == content_hash(metrics)
    return set(noted["stages"]) - set(() if same else MEASURED)


def with_page(directory: RunDirectory, config: Mapping[str, Any]) -> bool:
    """Return whether the stages that `config` asks for are done, and there is a page of them."""
    return directory.report is not None and set(config["stages"]) <= stages(directory, config["metrics"])


def note(directory: RunDirectory, config: Mapping[str, Any]) -> None:
    """Add the stages of `config` to those that are done."""
    done = stages(directory, config["metrics"]) | set(config["stages"])
    told = {"metrics": content_hash(config["metrics"])} if "evaluate" in done else {}
    atomic.write_json(directory.path / NAME, {"stages": sorted(done), **told})
