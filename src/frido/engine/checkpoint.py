"""Checkpoints: folders that are complete or not there, and that prove it.

`DIRECTORY/checkpoints/<images seen, 12 digits>/` holds `model.safetensors`, `ema.safetensors`,
`optimizer.safetensors`, `state.json` and, written last, `manifest.json` with the SHA-256 of each. Nothing in it is
pickled and nothing depends on the clock: equal trainings write equal bytes.
"""

import json
import logging
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from frido.contracts import atomic
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"


class Checkpoint(NamedTuple):
    """Everything that a training is.

    `weights` and `averaged` have the names of the model's `state_dict`; `optimizers` those of
    `optimizer_state.take` behind `"<phase>."`; `state` is plain JSON.
    """

    images_seen: int
    weights: dict[str, Tensor]
    averaged: dict[str, Tensor]
    optimizers: dict[str, Tensor]
    state: dict[str, Any]


def folder(directory: Path, images_seen: int) -> Path:
    return directory / "checkpoints" / f"{images_seen:012d}"


def write(directory: Path, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Write `checkpoint` beside its place and move it there, then remove all but the `keep` newest up to it."""
    place = folder(directory, checkpoint.images_seen)
    with atomic.new_folder(place) as path:
        save_file(_separate(checkpoint.weights), path / "model.safetensors")
        save_file(_separate(checkpoint.averaged), path / "ema.safetensors")
        save_file(_separate(checkpoint.optimizers), path / "optimizer.safetensors")
        atomic.write_json(path / "state.json", {"images_seen": checkpoint.images_seen} | checkpoint.state)
        atomic.write_json(path / MANIFEST, {file.name: sha256(file) for file in sorted(path.iterdir())})
    for old in [path for path in _folders(directory) if path.name <= place.name][:-keep]:
        _remove(old)
    return place


def read(path: Path) -> Checkpoint:
    """Return the checkpoint in folder `path`, on the CPU."""
    state = json.loads((path / "state.json").read_text())
    return Checkpoint(
        images_seen=state.pop("images_seen"),
        weights=load_file(path / "model.safetensors"),
        averaged=load_file(path / "ema.safetensors"),
        optimizers=load_file(path / "optimizer.safetensors"),
        state=state,
    )


def latest(directory: Path) -> Path | None:
    """Return the newest undamaged checkpoint of `directory`, if any; damaged ones are named in a warning."""
    for path in reversed(_folders(directory)):
        damage = find_damage(path)
        if damage is None:
            return path
        log.warning("checkpoint %s is damaged (%s): skipped, the one before it is used", path, damage)
    return None


def find_damage(path: Path) -> str | None:
    """Return what is wrong with the checkpoint in `path`, or `None`."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        for name, digest in manifest.items():
            if sha256(path / name) != digest:
                return f"{name} does not have the SHA-256 of its manifest"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (ValueError, AttributeError, OSError) as error:
        return f"{MANIFEST} or a file in it cannot be read: {error}"
    return None if "state.json" in manifest else f"{MANIFEST} is empty"


def load_weights(model: nn.Module, directory: Path, *, averaged: bool) -> int:
    """Put the weights of the newest checkpoint of a run or stage `directory` into `model`; return its images seen.

    Raises:
        FridoError: There is none, or it is of another model.
    """
    path = latest(directory)
    if path is None:
        raise FridoError(
            f"checkpoints of {directory}",
            got="no undamaged checkpoint",
            wanted="a directory that was trained in",
            do="Train it first (the same command continues an interrupted training).",
        )
    fill(model, load_file(path / ("ema.safetensors" if averaged else "model.safetensors")), path)
    return int(path.name)


def fill(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Put `weights`, read from `path`, into `model`: all names and shapes must agree."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise FridoError(
            f"checkpoint {path}",
            got=str(error).splitlines()[1].strip() if "\n" in str(error) else error,
            wanted="weights with the names and shapes of the configured model",
            do="Use the configuration that the checkpoint was trained with, or start anew with run.fresh=true.",
        ) from None


def tidy(directory: Path) -> None:
    """Remove what a crash in the middle of a write left behind."""
    for pattern in (".*.partial-*", ".*.removed"):
        for path in (directory / "checkpoints").glob(pattern):
            shutil.rmtree(path)


def _folders(directory: Path) -> list[Path]:
    return sorted(path for path in (directory / "checkpoints").glob("*") if path.name.isdigit())


def _remove(path: Path) -> None:
    hidden = path.with_name(f".{path.name}.removed")
    path.replace(hidden)  # first out of sight: a crash while deleting must not leave half a checkpoint
    shutil.rmtree(hidden)


def _separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return copies on the CPU that share no memory: modules registered under two names are written twice."""
    return {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in sorted(tensors.items())
    }
