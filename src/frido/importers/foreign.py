"""Other people's checkpoint files, read without running anything that is in them."""

import pickle
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from frido.contracts.errors import FridoError

TRAINERS = ("pytorch_lightning.", "lightning.", "lightning_fabric.", "omegaconf.", "typing.", "numpy.")
"""Libraries whose objects lie beside the weights in official checkpoints. They are read as `Inert`."""


class Inert(dict):  # type: ignore[type-arg]
    """Stands for an object of a trainer: takes any state, is never imported, does nothing."""

    def __new__(cls, *_arguments: object) -> "Inert":
        return super().__new__(cls)

    def __init__(self, *_arguments: object) -> None:
        super().__init__()

    def __setstate__(self, _state: object) -> None: ...


def tensors(path: Path) -> dict[str, Tensor]:
    """Return the state dict of a `.ckpt` or `.safetensors`.

    Raises:
        FridoError: The file is missing or damaged, or holds code instead of plain tensors.
    """
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        found: Any = load_file(_there(path))
    else:
        try:
            with torch.serialization.safe_globals([(Inert, name) for name in _of_trainers(_there(path))]):
                found = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise FridoError(
                f"checkpoint={path}",
                got=f"a file that is no checkpoint, or holds more than tensors: {str(error).splitlines()[0]}",
                wanted="plain tensors in a state dict: code in a checkpoint is never run",
                do="Save its state dict alone, in the environment that made it and that you trust.",
            ) from None
        except (RuntimeError, EOFError) as error:
            raise FridoError(
                f"checkpoint={path}", got=str(error).splitlines()[0], wanted="a whole file", do="Download it again."
            ) from None
    found = found.get("state_dict", found) if isinstance(found, dict) else {}
    return {name: tensor for name, tensor in found.items() if isinstance(tensor, Tensor)}


def settings(path: Path, *keys: str) -> dict[str, Any]:
    """Return the mapping at `keys` of an official YAML.

    Raises:
        FridoError: There is none.
    """
    try:
        node = yaml.safe_load(_there(path).read_text())
        for key in keys:
            node = node[key]
        if not isinstance(node, dict):
            raise TypeError
    except (KeyError, TypeError, yaml.YAMLError) as error:
        raise FridoError(
            f"config={path}",
            got=f"no {'.'.join(keys)} ({type(error).__name__})",
            wanted="the official YAML that the checkpoint was trained with",
            do="Take it from the configs folder of the official repository.",
        ) from None
    return node


def _of_trainers(path: Path) -> list[str]:
    """Return the objects of trainers that a checkpoint names; none in files of the time before zip."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (ValueError, RuntimeError):
        return []
    return [name for name in names if name.startswith(TRAINERS)]


def _there(path: Path) -> Path:
    if not path.is_file():
        raise FridoError(
            str(path), got="no such file", wanted="an official checkpoint and its YAML", do="Check the path."
        )
    return path
