"""Stage `latents`: encode the training images once, and prepare what the denoiser is shown of them."""

from pathlib import Path

from frido.cli.at_once import at_once
from frido.cli.session import Session, progress
from frido.contracts.lost import Lost
from frido.data.latents import LatentTable
from frido.engine import loss_budget

FILE = "train.safetensors"


def run(session: Session) -> None:
    if not session.data.fixed:
        if session.is_first:
            print("latents: not kept, since training images look different each time; encoded while training")
        return
    directory = session.shared("latents")
    with session.first_alone() as alone:
        if alone:
            forget_losses(directory)
    with session.written_once(directory) as todo:
        if todo and session.is_first:
            encode(session).save(directory / FILE)
    session.link("latents", directory)


def forget_losses(directory: Path) -> None:
    """Let a table be made again that was made while samples could not be read: perhaps they can be by now."""
    done, table = directory / "done.json", directory / FILE
    if done.exists() and table.exists() and LatentTable.load(table).lost:
        done.unlink()


def encode(session: Session) -> LatentTable:
    """Return the latents and the view of every training sample, in row order, by the frozen first stage.

    Raises:
        FridoError: More samples cannot be read than may be lost.
    """
    view = session.new_view(session.frozen).to(session.device)
    lost: dict[tuple[str, str], Lost] = {}
    batches = []
    for batch in progress(session.once(batch=at_once(session.config)), "latents"):
        lost |= {(one.shard, one.key): one for one in batch.lost}
        loss_budget.check(list(lost.values()), most=session.data.max_loss)
        encoded = session.with_view(session.with_latents(batch), view)
        batches.append(encoded._replace(images=None, segmentation=None))
    return LatentTable.join(batches)
