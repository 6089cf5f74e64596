"""Which split stands for held-out images."""

from pathlib import Path
from typing import NamedTuple

from frido.data.shards import read_spec


class EvaluationSplit(NamedTuple):
    """A split to evaluate on; `note` says it plainly when that is not the one asked for, else `None`."""

    split: str
    note: str | None


def evaluation_split(root: Path, wanted: str = "val") -> EvaluationSplit:
    """Return `wanted` where the dataset has such scenes, else the next best of val, test, train with a note."""
    spec = read_spec(root)
    held = [name for name in (wanted, "val", "test", "train") if name in spec["splits"]]
    if held[0] == wanted:
        return EvaluationSplit(wanted, spec["evaluation"] if wanted == "train" else None)
    note = spec["evaluation"] or f"no {wanted} images: evaluated on {held[0]}"
    return EvaluationSplit(held[0], note)
