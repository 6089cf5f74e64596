"""Where the second stage's latents come from."""

from typing import Any

from frido.cli.session import Session
from frido.contracts.batch import Batch
from frido.contracts.stream import Stream
from frido.data.latents import LatentStream, LatentTable


def latent_stream(session: Session, task: Any, *, batch: int) -> Stream:
    """Return the training latents: those that stage `latents` kept, or encoded as the images come."""
    seed = session.config["seed"]
    if not session.data.fixed:
        return Encoded(session.stream(batch=batch, seed=seed), session=session, view=task.view)
    return LatentStream(
        LatentTable.load(session.path("latents") / "train.safetensors"),
        order=session.rows("train").order(seed=seed),
        batch=batch,
        rank=session.rank,
        world_size=session.world_size,
    )


class Encoded:
    """A `Stream` of images with their latents, by the frozen first stage, and what the denoiser is shown of them.

    Args:
        images: The stream of images.
        session: Whose first stage encodes them.
        view: Prepares what is shown.
    """

    def __init__(self, images: Stream, *, session: Session, view: Any) -> None:
        self.images, self.session, self.view = images, session, view

    def at(self, images_seen: int) -> Batch:
        batch = self.session.with_view(self.session.with_latents(self.images.at(images_seen)), self.view)
        return batch._replace(images=None, segmentation=None)
