"""The run directory that holds what was converted."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frido.cli import provenance
from frido.cli.locks import hold
from frido.cli.rundir import RunDirectory
from frido.cli.schema import check
from frido.contracts import atomic
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError

if TYPE_CHECKING:
    from torch import Tensor

    from frido.importers.translate import Report


@dataclass(kw_only=True)
class Converted:
    """Everything about a converted checkpoint, before anything is written.

    Args:
        checkpoint: The official file.
        reports: What became of its tensors, by the name of the part that they belong to.
        first_stage: State dict of the first stage.
        second_stage: State dict of the task; empty for a first stage alone.
        parameters: Number of them, by the name of the part.
        facts: Anything else to be remembered, as plain JSON.
    """

    checkpoint: Path
    reports: Mapping[str, "Report"]
    first_stage: Mapping[str, "Tensor"]
    second_stage: Mapping[str, "Tensor"] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dropped(self) -> list[str]:
        return [name for report in self.reports.values() for name in report.dropped]


def check_name(name: str) -> str:
    """Return the recipe that a conversion is filed under, if it can be one."""
    if not re.fullmatch(r"\w[\w-]*(/\w[\w-]*)*", name):
        raise FridoError("name", got=repr(name), wanted="letters, digits, - and _", do="name=converted")
    return name


def write(config: dict[str, Any], converted: Converted, *, name: str, arguments: Sequence[str]) -> Path:
    """Write a run directory of `config` with the weights in it, and return it; on an error nothing is left behind.

    Args:
        config: Composed; `first_stage.weights` is filled in here.
        converted: What to put there.
        name: Of the recipe.
        arguments: Of the command, to be remembered.
    """
    from safetensors.torch import save

    content = save(dict(converted.first_stage))
    file = f"first_stage-{hashlib.sha256(content).hexdigest()[:12]}.safetensors"
    # Named by the content of the weights while the run directory gets its name: the path then says where that is.
    contents = " ".join([file, *([_digest(converted.second_stage)] if converted.second_stage else [])])
    config["first_stage"] = {**config["first_stage"], "weights": contents}
    directory = RunDirectory.planned(config, recipe=name)
    config["first_stage"]["weights"] = str(directory.path / "weights" / file)
    check(config)
    directory.make()
    with hold(directory.path, wait=False):
        if config["run"]["fresh"] and (aside := directory.set_aside()):
            print(f"set aside: {aside}")
        atomic.write_bytes(directory.path / "weights" / file, content)
        if converted.second_stage:
            averages = list(config["training"]["denoiser"]["averages"])
            _write_checkpoint(directory.path, converted.second_stage, averages=averages)
        directory.freeze(config)
        facts = provenance.collect(door="frido.convert", arguments=arguments, hardware=config["hardware"])
        provenance.record(directory.path, facts)
        origin = {"checkpoint": str(converted.checkpoint), "sha256": sha256(converted.checkpoint), **converted.facts}
        told = "; ".join(f"{part}: {report}" for part, report in converted.reports.items())
        provenance.complete(directory.path, converted={**origin, "report": told, "dropped": converted.dropped})
        if converted.parameters:
            provenance.complete(directory.path, parameters=dict(converted.parameters))
    return directory.path


def tell(converted: Converted) -> None:
    """Print what became of every tensor."""
    for part, report in converted.reports.items():
        print(f"{part}: {report}")
    for prefix, count in Counter(name.partition(".")[0] for name in converted.dropped).items():
        print(f"dropped on purpose: {count} of {prefix}.*")


def _write_checkpoint(directory: Path, state: Mapping[str, "Tensor"], *, averages: Sequence[str]) -> None:
    """Write what a training of no images would leave: the weights, which are their own averages."""
    from frido.engine import checkpoint
    from frido.engine.keep import Keep

    weights = dict(state)
    found = checkpoint.Checkpoint(0, weights, averages=dict.fromkeys(averages, weights), optimizers={}, state={})
    checkpoint.write(directory, found, keep=Keep(last=1, every_images=None, best=None, highest=False))


def _digest(state: Mapping[str, "Tensor"]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
