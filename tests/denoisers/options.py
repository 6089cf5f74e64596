"""The options of a config group, built without Hydra: contract tests are parametrised over them."""

import importlib
from functools import partial
from pathlib import Path
from typing import Any

import yaml

CONF = Path(__file__).parents[2] / "conf"
DIALS = {"width": 32, "multipliers": [1, 2], "gate_width": 8, "context_width": 24, "max_objects": 8, "steps": 4}


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def node(group: str, name: str) -> dict[str, Any]:
    """Return an option with its sub-options and a small size's dials filled in."""
    value = yaml.safe_load((CONF / group / f"{name}.yaml").read_text())
    for default in value.pop("defaults", []):
        if isinstance(default, str) and default != "_self_":  # what it extends
            value = node(group, default) | value
        if isinstance(default, dict):
            ((sub, option),) = default.items()
            where, _, place = sub.partition(
                "@"
            )  # "gate", or "/conditioning@parts.layout": another group, to be put there
            found = node(where[1:] if where.startswith("/") else f"{group}/{where}", option)
            *above, last = (place or where).split(".")
            inner = value
            for key in above:
                inner = inner.setdefault(key, {})
            inner[last] = found
    return value


def _fill(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("${"):
        path = value[2:-1]
        return 0 if path == "seed" else DIALS[path.rpartition(".")[2]]
    return value


def make(value: Any) -> Any:
    """Build a node as the command line does: recursively, partials as partials."""
    if isinstance(value, list):
        return [make(item) for item in value]
    if not isinstance(value, dict):
        return _fill(value)
    arguments = {key: make(item) for key, item in value.items() if not key.startswith("_")}
    if "_target_" not in value:
        return arguments
    module, _, attribute = value["_target_"].rpartition(".")
    target = getattr(importlib.import_module(module), attribute)
    return partial(target, **arguments) if value.get("_partial_") else target(**arguments)


def build(group: str, name: str) -> Any:
    return make(node(group, name))
