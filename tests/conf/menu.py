"""The real configuration folder, for parametrising tests over it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from frido.cli import options

CONF = options.config_dir()
GROUPS = options.groups(CONF)
RECIPES = [f"{group}/{name}" for group in options.RECIPES for name in GROUPS.get(group, [])]
OPTIONS = sorted(CONF.rglob("*/*.yaml"))


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text()) or {}


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object to build in a file's content."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


TARGETS = sorted({str(node["_target_"]) for path in OPTIONS for node in nodes(read(path))})
