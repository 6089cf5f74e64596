"""Options of the autoencoder groups, composed and built as the command line does."""

from functools import cache
from typing import Any

from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.options import config_dir

LIGHT = {"width": 32, "num_codes": 8}
"""What to set in a node of any size so that it runs at once."""


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


def light(*overrides: str, **settings: Any) -> Any:
    """Build the autoencoder narrow and with few codes, whatever its size, and with some `settings` of its own."""
    return build(_light(composed(*overrides)["autoencoder"]) | settings)


def _light(node: Any) -> Any:
    if isinstance(node, list):
        return [_light(value) for value in node]
    if isinstance(node, dict):
        return {key: LIGHT.get(key, _light(value)) for key, value in node.items()}
    return node
