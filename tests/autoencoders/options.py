"""Options of the autoencoder groups, composed and built as the command line does."""

from functools import cache
from typing import Any

from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.options import config_dir


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))


@cache
def composed(*overrides: str) -> dict[str, Any]:
    return compose("run", ["size=tiny", *overrides])


def made(key: str, *overrides: str, **runtime: Any) -> Any:
    """Build the node at the dotted `key` of the main job's configuration under `overrides`."""
    node: Any = composed(*overrides)
    for part in key.split("."):
        node = node[part]
    return build(node, **runtime)


def autoencoder(*overrides: str) -> Any:
    return made("autoencoder", *overrides)
