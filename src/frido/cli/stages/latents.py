"""Stage `latents`: encode the training images once."""

import torch

from frido.cli.session import Session, progress
from frido.data.latents import LatentTable


def run(session: Session) -> None:
    directory = session.shared("latents")
    with session.written_once(directory) as todo:
        if todo and session.is_first:
            encode(session).save(directory / "train.safetensors")
    session.link("latents", directory)


@torch.no_grad()
def encode(session: Session) -> LatentTable:
    """Return the latents of every training sample, in row order, by the frozen first stage."""
    rows = session.in_order("train", batch=64, count=len(session.shards("train")))
    with session.autocast():
        return LatentTable.join(
            [(session.frozen.encode(batch.pixels.to(session.device)), batch) for batch in progress(rows, "latents")]
        )
