"""`run=RUN_DIR ...`: go on with, or use, a run that exists. Its configuration is data, checked like any other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frido.cli.compose import compose, parsed
from frido.cli.launch import announce, work
from frido.cli.locks import hold
from frido.cli.rundir import RunDirectory
from frido.cli.schema import check
from frido.cli.suggest import key_and_value, suggestions
from frido.contracts.errors import FridoError

CHANGEABLE = ("hardware", "tracking")
WANTED = "besides run=RUN_DIR: stages=[...], scenes=FILE, hardware..., tracking...; the rest of a run is frozen"


def asked_for(arguments: Sequence[str]) -> bool:
    """Say whether the arguments name a run directory."""
    return any(argument.startswith("run=") for argument in arguments)


def again(arguments: Sequence[str]) -> int:
    """Run stages of the run directory that the arguments name; return the exit code."""
    given = _sorted_out(arguments)
    directory = RunDirectory.existing(Path(given["run"]))
    scenes = _scenes(given)
    frozen = directory.config
    config = _amended(frozen, [a for a in arguments if key_and_value(a)[0].partition(".")[0] in CHANGEABLE])
    if "stages" in given or scenes:
        config["stages"] = parsed(f"stages={given.get('stages', '[sample]')}")
    check(config)
    if scenes and "sample" not in config["stages"]:
        wanted = "stages that include sample: it draws the scenes"
        raise FridoError("scenes", got=f"stages={config['stages']}", wanted=wanted, do="stages=[sample]")
    with hold(directory.path, wait=False):
        directory.make()
        directory.freeze({**config, "stages": frozen["stages"]})
        announce(directory, arguments, config)
        return work(directory, config["stages"], scenes=scenes)


def _sorted_out(arguments: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for argument in arguments:
        key, value = key_and_value(argument)
        known = key in ("run", "stages", "scenes") or key.partition(".")[0] in CHANGEABLE
        if not known or "=" not in argument or argument.startswith(("+", "~", "-")):
            do = f"leave out {argument}, or train anew: the same command without run="
            raise FridoError(f"the argument {argument}", got=f"{argument} beside run=", wanted=WANTED, do=do)
        if not value or key in given:
            got = "nothing after '='" if not value else "given twice"
            raise FridoError(f"the argument {argument}", got=got, wanted="one value", do=f"{key}=VALUE")
        given[key] = value.strip("'\"")
    return given


def _scenes(given: dict[str, str]) -> Path | None:
    if "scenes" not in given:
        return None
    path = Path(given["scenes"])
    if not path.is_file():
        near = sorted(str(other) for other in path.parent.glob("*.json"))[:1]
        do = f"scenes={near[0]}" if near else "write one: see 'Draw my scene' in the README"
        raise FridoError(f"scenes={path}", got="no such file", wanted="a file of scene graphs", do=do)
    return path


def _amended(frozen: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return `frozen` with its changeable groups replaced (`hardware=gpu`) or changed (`hardware.threads=4`)."""
    config = dict(frozen)
    chosen = [override for override in overrides if key_and_value(override)[0] in CHANGEABLE]
    if chosen:
        composed = compose("run", chosen)
        config |= {key: composed[key] for key in (key_and_value(override)[0] for override in chosen)}
    for override in overrides:
        key = key_and_value(override)[0]
        if override in chosen:
            continue
        *parents, last = key.split(".")
        node: Any = config
        for name in parents:
            node[name] = dict(node[name]) if isinstance(node.get(name), dict) else {}
            node = node[name]
        if last not in node:
            close = suggestions(key, config)
            do = f"{close[0]}={key_and_value(override)[1]}" if close else f"leave out {override}"
            wanted = f"a setting of {'.'.join(parents)}: {', '.join(map(str, node))}"
            raise FridoError(key, got=override, wanted=wanted, do=do)
        node[last] = parsed(override)
    return config
