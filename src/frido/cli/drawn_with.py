"""Which weights of the second stage are drawn with: as they are, an average, or one made by the stage `ema`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import nn

from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.engine import checkpoint
from frido.engine.averages import length
from frido.engine.training import RAW


def load(model: nn.Module, directory: Path, training: Mapping[str, Any]) -> None:
    """Put them into `model`.

    Args:
        model: The second stage.
        directory: Of the run.
        training: Its settings; `drawn_with` and `averages` are looked at.

    Raises:
        FridoError: They are not there, damaged, or of another model.
    """
    name = training["drawn_with"]
    if _while_training(training):
        checkpoint.load_weights(model, directory, average=name)
        return
    file, told = length.file(directory, name), _made_of(directory, name)
    if not file.is_file() or sha256(file) != told["sha256"]:
        raise FridoError(str(file), got="not what was written", wanted="the stage ema's own", do=_make(directory, name))
    checkpoint.fill(model, load_file(file), file)


def told(directory: Path, training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the name of the average with its settings, for whoever reads numbers of what was drawn with it."""
    name = training["drawn_with"]
    if _while_training(training):
        return {"name": name, **training["averages"].get(name, {})}
    facts = ("sigma_rel", "images_seen", "residual", "sha256")
    return {"name": name, **{fact: _made_of(directory, name)[fact] for fact in facts}}


def _while_training(training: Mapping[str, Any]) -> bool:
    return training["drawn_with"] in (*training["averages"], RAW)


def _made_of(directory: Path, name: str) -> dict[str, Any]:
    found = length.made_of(directory, name)
    if found is None:
        file = length.file(directory, name)
        raise FridoError(str(file), got="no such average", wanted="one of stage ema", do=_make(directory, name))
    return found


def _make(directory: Path, name: str) -> str:
    return f"python -m frido.run run={directory} stages=[ema] ema={name.rpartition('_')[2]}"
