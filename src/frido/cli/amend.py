"""Changes to a frozen configuration: groups chosen anew, settings set."""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from frido.cli.compose import compose, parsed
from frido.cli.suggest import key_and_value, suggestions
from frido.contracts.errors import FridoError


def amended(frozen: Mapping[str, Any], overrides: Sequence[str], *, groups: Sequence[str]) -> dict[str, Any]:
    """Return `frozen` with groups replaced (`hardware=gpu`, `diffusion/sampler=ddim`), then settings changed.

    Args:
        frozen: A resolved configuration.
        overrides: Each of a group or of a setting that exists.
        groups: As they are typed; an option of one interpolates the dials of the frozen `size`.

    Raises:
        FridoError: For an option or setting that does not exist.
    """
    config = copy.deepcopy(dict(frozen))
    chosen = [override for override in overrides if key_and_value(override)[0] in groups]
    if chosen:
        dials = [f"size.{name}={json.dumps(value)}" for name, value in frozen["size"].items()]
        composed = compose("run", [*chosen, *dials])
        for group in (key_and_value(override)[0] for override in chosen):
            *parents, last = group.split("/")
            _down(config, parents)[last] = _down(composed, parents)[last]
    for override in overrides:
        if override not in chosen:
            _set(config, override)
    return config


def at(config: Mapping[str, Any], place: str) -> Any:
    """Return what lies at a dotted path that exists."""
    *parents, last = place.split(".")
    return _down(config, parents)[last]


def _down(config: Any, parents: Sequence[str]) -> Any:
    for name in parents:
        config = config[name]
    return config


def _set(config: dict[str, Any], override: str) -> None:
    key, value = key_and_value(override)
    *parents, last = key.split(".")
    node: Any = config
    for name in parents:
        node = node.get(name) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last not in node:
        close = suggestions(key, config)
        known = f": {', '.join(map(str, node))}" if isinstance(node, dict) else ""
        do = f"{close[0]}={value}" if close else f"leave out {override}"
        raise FridoError(key, got=override, wanted=f"a setting of {'.'.join(parents)}{known}", do=do)
    node[last] = parsed(override)
