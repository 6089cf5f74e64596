"""Checkpoints: folders that are complete or not there, and that prove it.

`DIRECTORY/checkpoints/<images seen, 12 digits>/` holds `model.safetensors`, `ema.<name>.safetensors` for every average,
`optimizer.safetensors`, `state.json` and, written last, `manifest.json` with the SHA-256 of each. Nothing in it is
pickled and nothing depends on the clock: equal trainings write equal bytes.
"""

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from frido.contracts import atomic
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.engine.copies import Copies, Groups
from frido.engine.keep import Keep, Kept
from frido.engine.training import RAW

log = logging.getLogger(__name__)

MANIFEST, STATE, MODEL, OPTIMIZER = "manifest.json", "state.json", "model.safetensors", "optimizer.safetensors"
LONG_BYTES = 8e9
"""Reading more than this to check it takes long enough (5 s at 1.5 GB/s of SHA-256) to be told."""


class Checkpoint(NamedTuple):
    """Everything that a training is.

    `weights` and each of `averages` (by name) have the names of the model's `state_dict`; `optimizers` those of
    `optimizer_state.take` behind `"<phase>."`; `state` is plain JSON, with `due` and `numbers` as in `keep.Kept`.
    """

    images_seen: int
    weights: dict[str, Tensor]
    averages: dict[str, dict[str, Tensor]]
    optimizers: dict[str, Tensor]
    state: dict[str, Any]

    def files(self) -> dict[str, dict[str, Tensor]]:
        """Return all tensors by the name of the file they belong in."""
        averages = {average_file(name): averaged for name, averaged in self.averages.items()}
        return {MODEL: self.weights} | averages | {OPTIMIZER: self.optimizers}


def folder(directory: Path, images_seen: int) -> Path:
    return directory / "checkpoints" / f"{images_seen:012d}"


def folders(directory: Path) -> list[Path]:
    """Return the folders of all checkpoints, whole or damaged, the oldest first."""
    return sorted(path for path in (directory / "checkpoints").glob("*") if path.name.isdigit())


def write(directory: Path, checkpoint: Checkpoint, *, keep: Keep) -> Path:
    """Write a copy of `checkpoint`, then remove those up to it that `keep` does not choose."""
    place = store(directory, checkpoint.images_seen, Copies().take(checkpoint.files()), checkpoint.state)
    prune(directory, keep=keep, newest=checkpoint.images_seen)
    return place


def store(directory: Path, images_seen: int, files: Groups, state: dict[str, Any]) -> Path:
    """Write a checkpoint beside its place and move it there; nothing is left where that fails.

    Args:
        directory: Of a run or stage.
        images_seen: Of the checkpoint.
        files: As of `Checkpoint.files`; on the CPU, contiguous, no two of a file in the same memory.
        state: Of the checkpoint.

    Raises:
        OSError: As on a full disk.
    """
    place = folder(directory, images_seen)
    with atomic.new_folder(place) as path:
        for name, tensors in files.items():
            write_tensors(path / name, tensors)
        atomic.write_json(path / STATE, {"images_seen": images_seen} | state)
        atomic.write_json(path / MANIFEST, {file.name: sha256(file) for file in sorted(path.iterdir())})
    return place


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors on the CPU, contiguous, no two in the same memory.

    Raises:
        OSError: As on a full disk; safetensors calls that an error of its own.
    """
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:
        raise OSError(str(error)) from None


def prune(directory: Path, *, keep: Keep, newest: int) -> None:
    """Remove the checkpoints up to `newest` (in images seen) that `keep` does not choose.

    Those beyond are damaged: they were skipped, and are replaced when the training gets there.
    """
    there = [path for path in folders(directory) if int(path.name) <= newest]
    stay = keep.chosen([_kept(path) for path in there])
    for old in there:
        if int(old.name) not in stay:
            _remove(old)


def read(path: Path) -> Checkpoint:
    """Return the checkpoint in folder `path`, on the CPU."""
    state = json.loads((path / STATE).read_text())
    names = sorted(file.name.split(".", 1)[1].removesuffix(".safetensors") for file in path.glob(average_file("*")))
    return Checkpoint(
        images_seen=state.pop("images_seen"),
        weights=load_file(path / MODEL),
        averages={name: load_file(path / average_file(name)) for name in names},
        optimizers=load_file(path / OPTIMIZER),
        state=state,
    )


def average_file(name: str) -> str:
    return f"ema.{name}.safetensors"


def latest(directory: Path) -> Path | None:
    """Return the newest undamaged checkpoint of `directory`, if any; damaged ones are named in a warning."""
    for path in reversed(folders(directory)):
        damage = find_damage(path)
        if damage is None:
            return path
        log.warning("checkpoint %s is damaged (%s): skipped, the one before it is used", path, damage)
    return None


def find_damage(path: Path) -> str | None:
    """Return what is wrong with the checkpoint in `path`, or `None`. Every byte is read, and belongs to a hash."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        present = {file.name: file.stat().st_size for file in path.iterdir() if not file.name.startswith(".")}
        if sum(present.values()) > LONG_BYTES:
            log.warning(
                "reading the %.0f GB of checkpoint %s to see that it is whole", sum(present.values()) / 1e9, path
            )
        for name, digest in manifest.items():
            if sha256(path / name) != digest:
                return f"{name} does not have the SHA-256 that {MANIFEST} gives"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (ValueError, AttributeError, OSError) as error:
        return f"{MANIFEST} or a file in it cannot be read: {error}"
    unnamed = sorted({MODEL, OPTIMIZER, STATE, *present} - {MANIFEST, *manifest})
    return f"{MANIFEST} does not name {', '.join(unnamed)}" if unnamed else None


def load_weights(model: nn.Module, directory: Path, *, average: str) -> int:
    """Put the weights of the newest checkpoint of a run or stage `directory` into `model`; return its images seen.

    Args:
        model: On any device.
        directory: Of a run or stage.
        average: The name of an average, or "raw".

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
    fill(model, load_file(path / (MODEL if average == RAW else average_file(average))), path)
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


def _kept(path: Path) -> Kept:
    try:
        state = json.loads((path / STATE).read_text())
    except (OSError, ValueError):  # damaged: it may fall out
        state = {}
    return Kept(int(path.name), due=state.get("due", False), numbers=state.get("numbers", {}))


def _remove(path: Path) -> None:
    hidden = path.with_name(f".{path.name}.removed")
    path.replace(hidden)  # first out of sight: a crash while deleting must not leave half a checkpoint
    shutil.rmtree(hidden)


def separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return copies on the CPU that share no memory: modules registered under two names are written twice."""
    return Copies().take({MODEL: tensors})[MODEL]
