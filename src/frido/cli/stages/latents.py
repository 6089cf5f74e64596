"""Stage `latents`: encode the training images once, and prepare what the denoiser is shown of them."""

from frido.cli.session import Session, progress
from frido.data.latents import LatentTable


def run(session: Session) -> None:
    if not session.data.fixed:
        if session.is_first:
            print("latents: not kept, since training images look different each time; encoded while training")
        return
    directory = session.shared("latents")
    with session.written_once(directory) as todo:
        if todo and session.is_first:
            encode(session).save(directory / "train.safetensors")
    session.link("latents", directory)


def encode(session: Session) -> LatentTable:
    """Return the latents and the view of every training sample, in row order, by the frozen first stage."""
    view = session.new_view(session.frozen).to(session.device)
    rows = progress(session.once(batch=64), "latents")
    encoded = (session.with_view(session.with_latents(batch), view) for batch in rows)
    return LatentTable.join([batch._replace(images=None, segmentation=None) for batch in encoded])
