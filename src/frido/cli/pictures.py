"""Tensors of images as files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

from frido.contracts import atomic


def to_uint8(images: Tensor) -> Tensor:
    """Return images in [-1, 1] as bytes on the CPU, rounded."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()


def grid(images: Tensor, *, columns: int) -> Tensor:
    """Return NCHW images as one CHW image, filled row by row; the number of images is a multiple of `columns`."""
    return rearrange(images, "(rows columns) c h w -> c (rows h) (columns w)", columns=columns)


def card(rows: Mapping[str, Tensor], items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a grid shows: a row of NCHW images under each name, a column for each of `items`.

    `tile` is the width and height of one image, `gap` what lies between two of them, in pixels.
    """
    assert all(len(images) == len(items) for images in rows.values()), "a row is of as many images as there are items"
    height, width = next(iter(rows.values())).shape[-2:]
    return {
        "tile": [width, height],
        "gap": 0,
        "columns": len(items),
        "rows": list(rows),
        "items": list(items),
    }


def keep_card(folder: Path, told: Mapping[str, Any], *, images: int) -> None:
    """Write `grid.json` beside the pictures of a training, before the first of them.

    Its `since` is `images`, those seen at that picture. A run that goes on and draws something else from now on gets a
    new card in its place: older pictures are described by none, and nobody takes one condition for another.
    """
    file, told = folder / "grid.json", json.loads(json.dumps(told))
    if file.exists():
        there = json.loads(file.read_text())
        if told == {name: value for name, value in there.items() if name != "since"}:
            return
    atomic.write_json(file, {**told, "since": images})


def save(image: Tensor, path: Path) -> None:
    """Write one CHW uint8 RGB image as a file of the type that its name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rearrange(image, "c h w -> h w c").numpy()).save(path)


def load(path: Path) -> Tensor:
    """Return the CHW uint8 RGB image of a file."""
    with Image.open(path) as file:
        return rearrange(torch.from_numpy(np.array(file.convert("RGB"))), "h w c -> c h w")
