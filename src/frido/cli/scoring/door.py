"""From arguments to scores: everything that can be refused is, before torch is imported."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frido.cli import schema
from frido.cli.compose import compose
from frido.cli.suggest import key_and_value
from frido.contracts.errors import FridoError

SIDES = ("real", "generated")
OUT = "scores.json"
SETTINGS = ("metrics", "hardware", "run.root")
"""Of the configuration: what is measured, on what, and below which folder features of real images are kept."""
EXAMPLE = "python -m frido.run real=DIR generated=DIR metrics=inception"


def asked_for(arguments: Sequence[str]) -> bool:
    """Say whether the arguments name images to be scored."""
    return any(argument.startswith(("real=", "generated=")) for argument in arguments)


def score(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for; return the exit code."""
    given, overrides = _sorted_out(arguments)
    config = compose("run", [*([] if _chosen(overrides) else ["metrics=inception"]), *overrides])
    _check(config)
    out = Path(given.get("out", OUT)).expanduser()

    from frido.cli.scoring import places, sides, told  # numpy, which other commands answer without

    told.check_out(out)
    found = {side: places.place(given[side], side=side) for side in SIDES}

    from frido.cli.build import build

    evaluation = build(config["metrics"])  # weights that are missing are told before thousands of files are read
    real, generated = (sides.look(f"{side}={given[side]}", found[side]) for side in SIDES)
    partners = sides.pairs(real, generated)

    from frido.cli.scoring.run import run

    result = run(evaluation, real, generated, partners, hardware=config["hardware"], root=Path(config["run"]["root"]))

    from frido.cli import provenance

    facts = provenance.collect(door="frido.run", arguments=arguments, hardware=config["hardware"])
    scores = told.content(result, real, generated, partners, provenance=facts)
    told.show(scores)
    told.write(out, scores)
    return 0


def _sorted_out(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return what is typed for this command, and overrides of the configuration."""
    given: dict[str, str] = {}
    overrides: list[str] = []
    for argument in arguments:
        key, value = key_and_value(argument)
        if "=" in argument and (key in SETTINGS or key.startswith(("metrics.", "hardware."))):
            overrides.append(argument)
            continue
        if key not in (*SIDES, "out") or "=" not in argument or argument.startswith(("+", "~", "-")):
            wanted = "real=DIR, generated=DIR, out=FILE, metrics..., hardware..., run.root=DIR"
            raise FridoError(f"the argument {argument}", got=argument, wanted=wanted, do=f"leave it out: {EXAMPLE}")
        if not value or key in given:
            got = "nothing after '='" if not value else "given twice"
            raise FridoError(f"the argument {argument}", got=got, wanted="one value", do=f"{key}=...")
        given[key] = value.strip("'\"")
    for side in SIDES:
        if side not in given:
            raise FridoError(side, got="nothing", wanted="images of both sides", do=f"add {side}=DIR: {EXAMPLE}")
    return given, overrides


def _chosen(overrides: Sequence[str]) -> bool:
    return any(key_and_value(override)[0] == "metrics" for override in overrides)


def _check(config: Mapping[str, Any]) -> None:
    """Refuse settings that do not fit, and more than one process."""
    schema.check(config)
    hardware = config["hardware"]
    processes = int(os.environ.get("WORLD_SIZE", hardware["devices"] * hardware["nodes"]))
    if processes > 1 or hardware["slurm"]:
        got = "Slurm" if hardware["slurm"] else f"{processes} processes"
        do = "hardware=cpu or hardware=gpu, without torchrun"
        raise FridoError("hardware", got=got, wanted="one process: folders are scored by one", do=do)
    if not config["metrics"].get("metrics"):
        raise FridoError("metrics", got="no metrics", wanted="some", do="metrics=inception, or metrics=scenes")
