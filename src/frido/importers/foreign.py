"""Other people's checkpoint files, read without running anything that is in them."""

import pickle
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from frido.contracts.errors import FridoError


def weights(path: Path, *, prefix: str) -> dict[str, Tensor]:
    """Return the tensors of a `.ckpt` or `.safetensors` whose names begin with `prefix`, without it; else all tensors.

    Raises:
        FridoError: The file is missing or damaged, or holds code instead of plain tensors.
    """
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        found: Any = load_file(_there(path))
    else:
        try:
            found = torch.load(_there(path), map_location="cpu", weights_only=True)
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
    found = found.get("state_dict", found)
    tensors = {name: tensor for name, tensor in found.items() if isinstance(tensor, Tensor)}
    return {name.removeprefix(prefix): tensors[name] for name in tensors if name.startswith(prefix)} or tensors


def settings(path: Path, *keys: str) -> dict[str, Any]:
    """Return the mapping at `keys` of an official YAML.

    Raises:
        FridoError: There is none.
    """
    try:
        node = yaml.safe_load(_there(path).read_text())
        for key in keys:
            node = node[key]
    except (KeyError, TypeError, yaml.YAMLError) as error:
        raise FridoError(
            f"config={path}",
            got=f"no {'.'.join(keys)} ({type(error).__name__})",
            wanted="the official YAML that the checkpoint was trained with",
            do="Take it from the configs folder of the official repository.",
        ) from None
    return node


def _there(path: Path) -> Path:
    if not path.is_file():
        raise FridoError(
            str(path), got="no such file", wanted="an official checkpoint and its YAML", do="Check the path."
        )
    return path
