"""Stage `codes`: write the images of every split as indices into the first stage's codebooks."""

import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from frido.cli.at_once import at_once
from frido.cli.session import Session, progress
from frido.contracts import atomic
from frido.contracts.errors import FridoError
from frido.data.shards import read_spec


def run(session: Session) -> None:
    """Write `codes/SPLIT.safetensors`: `scale_S`, int32 `(images, codebooks, height, width)`, rows as in the split.

    The file's metadata holds their `ids` and the `num_codes` per scale, as JSON.
    """
    if not all(session.frozen.num_codes):
        raise FridoError(
            "stages=[codes]",
            got=f"an autoencoder with {list(session.frozen.num_codes)} codes per scale",
            wanted="codebooks at every scale",
            do="autoencoder=msvqgan, or leave out the stage codes",
        )
    with session.first_alone() as alone:
        if alone:
            for split in read_spec(session.path("data"))["splits"]:
                file = session.directory / "codes" / f"{split}.safetensors"
                if not file.exists():
                    write(session, split, file)
                print(f"codes: {file}")


@torch.no_grad()
def write(session: Session, split: str, file: Path) -> None:
    frozen = session.frozen
    ids: list[str] = []
    parts: list[list[Tensor]] = []
    rows = session.in_order(split, batch=at_once(session.config), count=len(session.rows(split)))
    with session.autocast():
        for batch in progress(rows, f"codes, {split}"):
            codes = frozen.pyramid_to_codes(frozen.encode(batch.pixels.to(session.device)))
            parts.append([scale.int().cpu() for scale in codes])
            ids += batch.ids
    tensors = {f"scale_{scale}": torch.cat(maps).contiguous() for scale, maps in enumerate(zip(*parts, strict=True))}
    metadata = {"ids": json.dumps(ids), "num_codes": json.dumps(list(frozen.num_codes))}
    atomic.write_bytes(file, save(tensors, metadata=metadata))
