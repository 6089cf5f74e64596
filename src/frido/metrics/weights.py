"""Weights that ship with the package: safetensors in half precision, beside them their SHA-256."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from frido.contracts.atomic import write_bytes, write_text
from frido.contracts.errors import FridoError


def digest_file(path: Path) -> Path:
    """Return where the hash of a weights file lies, in the form that `sha256sum --check` reads."""
    return path.with_name(path.name + ".sha256")


def write_weights(path: Path, state: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
    """Write a state dict with its description in the header, and its hash beside it; return the hash.

    Floating-point tensors are rounded to float16: small networks lose nothing measurable, files halve.
    """
    halved = {name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in state.items()}
    content = save(halved, metadata={name: json.dumps(value) for name, value in sorted(about.items())})
    sha256 = hashlib.sha256(content).hexdigest()
    write_bytes(path, content)
    write_text(digest_file(path), f"{sha256}  {path.name}\n")
    return sha256


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], str]:
    """Return what `write_weights` wrote: float32 state, description, SHA-256.

    Raises:
        FridoError: The file is missing or is not the one whose hash lies beside it.
    """
    repair = "reinstall the package, or train it again: python experiments/scene_features/train.py"
    try:
        content = path.read_bytes()
        expected = digest_file(path).read_text().split()[0]
    except (OSError, IndexError) as error:
        raise FridoError(str(path), got=error, wanted="weights that ship with the package", do=repair) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != expected:
        raise FridoError(str(path), got=f"SHA-256 {sha256}", wanted=f"SHA-256 {expected}", do=repair)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    about = {name: json.loads(value) for name, value in header["__metadata__"].items()}
    state = {name: (t.float() if t.is_floating_point() else t) for name, t in load(content).items()}
    return state, about, sha256


def to_unit_range(images: Tensor, resolution: int) -> Tensor:
    """Return uint8 images as floats in [-1, 1] at `resolution` (antialiased bilinear where they have another)."""
    scaled = images.float() / 127.5 - 1
    if images.shape[-2:] == (resolution, resolution):
        return scaled
    return torch.nn.functional.interpolate(
        scaled, (resolution, resolution), mode="bilinear", antialias=True, align_corners=False
    )
