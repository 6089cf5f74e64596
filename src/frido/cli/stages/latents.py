"""Stage `latents`: encode the training images once, and prepare what the denoiser is shown of them."""

from frido.cli.session import Session, progress
from frido.data.latents import LatentTable


def run(session: Session) -> None:
    directory = session.shared("latents")
    with session.written_once(directory) as todo:
        if todo and session.is_first:
            encode(session).save(directory / "train.safetensors")
    session.link("latents", directory)


def encode(session: Session) -> LatentTable:
    """Return the latents and the view of every training sample, in row order, by the frozen first stage."""
    view = session.new_view(session.frozen).to(session.device)
    rows = session.in_order("train", batch=64, count=len(session.shards("train")))
    encoded = (session.with_view(session.with_latents(batch), view) for batch in progress(rows, "latents"))
    return LatentTable.join([batch._replace(images=None, segmentation=None) for batch in encoded])
