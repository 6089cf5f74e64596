"""Averages as they were now and then, of which `frido.engine.post_hoc` makes averages of any length.

`DIRECTORY/snapshots/<images seen, 12 digits>/` holds `<name>.safetensors` for every power-function average and
`manifest.json` with their lengths and SHA-256. Equal trainings write equal bytes.
"""

import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from frido.contracts import atomic
from frido.contracts.digest import sha256
from frido.engine import checkpoint, distributed
from frido.engine.averages.base import Average
from frido.engine.averages.power import Power
from frido.engine.writer import Writer

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"


class Snapshots:
    """Stores the power-function averages of a training; others are passed over.

    Parameters are rounded to float16, as in the paper: many snapshots are summed, and each takes half the space.
    Buffers stay as they are.

    Args:
        directory: Of the run or stage.
        averages: All that are kept, by name.
        model: Whose averages they are.
        writer: Puts them on disk.
    """

    def __init__(self, *, directory: Path, averages: Mapping[str, Average], model: nn.Module, writer: Writer) -> None:
        self.directory, self.writer = directory, writer
        self.lengths = {name: one.sigma_rel for name, one in averages.items() if isinstance(one, Power)}
        self.parameters = {
            name for name, parameter in model.named_parameters(remove_duplicate=False) if parameter.is_floating_point()
        }

    def write(self, weights: Mapping[str, Mapping[str, Tensor]], *, images_seen: int) -> None:
        """Begin to store `weights`, by average and name (first rank); where the disk refuses, go on without.

        Averages can be made without any one snapshot, only less exactly.
        """
        if not self.lengths or not distributed.is_main():
            return
        states = {name: self._small(weights[name]) for name in self.lengths}
        self.writer.submit(partial(self._store, folder(self.directory, images_seen), states))

    def _small(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return copies on the CPU."""
        small = {name: _half(tensor) if name in self.parameters else tensor for name, tensor in sorted(weights.items())}
        return {
            name: tensor.to("cpu", copy=True, memory_format=torch.contiguous_format) for name, tensor in small.items()
        }

    def _store(self, place: Path, states: Mapping[str, dict[str, Tensor]]) -> None:
        try:
            with atomic.new_folder(place) as path:
                told: dict[str, Any] = {}
                for name, state in states.items():
                    file = path / f"{name}.safetensors"
                    checkpoint.write_tensors(file, state)
                    told[name] = {"sigma_rel": self.lengths[name], "sha256": sha256(file)}
                atomic.write_json(path / MANIFEST, {"averages": told, "parameters": sorted(self.parameters)})
        except OSError as error:
            log.error("snapshot %s could not be stored (%s): the training goes on without it", place, error)


class Snapshot(NamedTuple):
    """An average at a moment, on disk; `parameters` are the names of what is averaged in it."""

    file: Path
    sigma_rel: float
    images_seen: int
    sha256: str
    parameters: frozenset[str]


def folder(directory: Path, images_seen: int) -> Path:
    return directory / "snapshots" / f"{images_seen:012d}"


def found(directory: Path) -> list[Snapshot]:
    """Return what is stored in a run or stage `directory`, the newest last; folders that cannot be read are named in a
    warning."""
    there = []
    for path in sorted(path for path in (directory / "snapshots").glob("*") if path.name.isdigit()):
        try:
            manifest = json.loads((path / MANIFEST).read_text())
            parameters = frozenset(manifest["parameters"])
            there += [
                Snapshot(path / f"{name}.safetensors", one["sigma_rel"], int(path.name), one["sha256"], parameters)
                for name, one in manifest["averages"].items()
            ]
        except (OSError, ValueError, LookupError, TypeError) as error:
            log.warning("snapshot %s is damaged (%s): left out", path, error)
    return there


def is_sound(snapshot: Snapshot) -> bool:
    """Return whether a file is what was written; say so in a warning where it is not."""
    try:
        problem = None if sha256(snapshot.file) == snapshot.sha256 else "not the SHA-256 of its manifest"
    except OSError as error:
        problem = str(error)
    if problem:
        log.warning("snapshot %s is damaged (%s): left out", snapshot.file, problem)
    return problem is None


def read(snapshot: Snapshot) -> dict[str, Tensor]:
    """Return the stored state, on the CPU."""
    return load_file(snapshot.file)


def _half(tensor: Tensor) -> Tensor:
    half = tensor.half()
    return half if half.isfinite().all() else tensor  # too large for float16
