"""The file of a matched arm."""

from pathlib import Path
from typing import Any

import yaml

from frido.cli.compose import parsed
from frido.cli.match.request import QUANTITIES, Request
from frido.contracts import atomic
from frido.contracts.errors import FridoError


def refuse_others(file: Path) -> None:
    """Refuse to replace a file that no `match=` wrote."""
    if file.is_file() and "match=" not in file.read_text():
        raise FridoError(
            str(file), got="a file that a person wrote", wanted="a new name", do=f"name={file.stem}_2, or move the file"
        )


def write(file: Path, text: str) -> None:
    try:
        atomic.write_text(file, text)
    except OSError as error:
        raise FridoError(
            str(file),
            got=f"cannot be written: {error.strerror}",
            wanted="a configuration folder that this user may write to",
            do="a checkout of Frido installed with pip install -e .",
        ) from None


def text(asked: Request, *, value: int, own: float, target: float, command: str) -> str:
    """Return the YAML: `asked.arm` with the dial at `value`; how well it matches stands in comments."""
    settings = [f"{asked.by}={value}", *asked.fixed]
    lines = [
        "# @package _global_",
        f"# As `{asked.arm}`, with {' and '.join(settings)}: as many {_of(asked.quantity)} as `{asked.like}`.",
        f"# {_title(asked.quantity)}: {amount(own, asked.quantity)} here, {amount(target, asked.quantity)} in "
        f"`{asked.like}`: {share(own / target - 1)}.",
        f"# Command   {command}",
        "defaults:",
        f"  - {asked.arm}",
        "  - _self_",
        "",
        yaml.safe_dump(_nested(settings), sort_keys=False, default_flow_style=False).rstrip(),
    ]
    return "\n".join(lines) + "\n"


def amount(value: float, quantity: str) -> str:
    """Return an amount with its unit."""
    if quantity == "parameters":
        return f"{value:,.0f}"
    if quantity == "flops":
        return f"{value / 1e9:,.4g} GFLOP"
    return f"{1e3 * value:.4g} ms"


def share(value: float) -> str:
    """Return a share as "3.7 % more"."""
    return f"{abs(100 * value):.1f} % {'more' if value >= 0 else 'less'}"


def _title(quantity: str) -> str:
    return QUANTITIES[quantity][0].upper() + QUANTITIES[quantity][1:]


def _of(quantity: str) -> str:
    return {"parameters": "trained parameters", "flops": "operations", "time": "seconds"}[quantity]


def _nested(settings: list[str]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for setting in settings:
        path = setting.partition("=")[0]
        *parents, last = path.split(".")
        node = nested
        for name in parents:
            node = node.setdefault(name, {})
        node[last] = parsed(setting)
    return nested
