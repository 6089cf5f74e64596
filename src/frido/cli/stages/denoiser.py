"""Stage `denoiser`: train the second stage from latents, in the run directory itself."""

from collections.abc import Sequence
from typing import Any

import torch

from frido.cli import fingerprints, pictures, provenance
from frido.cli.at_once import at_once
from frido.cli.build import build
from frido.cli.latent_stream import latent_stream
from frido.cli.reference import reference
from frido.cli.session import Session
from frido.contracts.batch import Batch
from frido.contracts.errors import FridoError
from frido.contracts.metric import Pictures
from frido.engine import checkpoint, distributed
from frido.engine.trainer import Trainer
from frido.tasks.held_out_error import BANDS

SHOWN = 8


def run(session: Session) -> None:
    config = session.config
    if config["training"]["denoiser"]["images"] == 0:
        return nothing_to_train(session)
    training = build(config["training"]["denoiser"])
    evaluation = build(config["metrics"])
    task = session.new_task()
    session.check_sampling(task)
    split, _ = session.held_out("val")
    watched = [
        session.with_view(session.with_latents(batch), task.view)
        for batch in session.in_order(split, batch=at_once(config), count=config["size"]["watched"], share=True)
    ]

    kept = reference(session, split, count=config["size"]["watched"])

    with session.first_alone() as alone:
        if alone:
            counts = {"denoiser": task, "autoencoder": session.frozen}
            parameters = {name: sum(p.numel() for p in module.parameters()) for name, module in counts.items()}
            provenance.complete(session.directory, parameters=parameters)

    with session.tracker(session.directory, "denoiser", budget=training.images) as tracker:

        def look(images_seen: int, averaged: Any) -> dict[str, float]:
            """Measure the loss on held-out images, draw their scenes and score them: the same scenes and noise each
            time, by averaged weights."""
            generated = [session.generate(averaged, batch) for batch in watched]
            pairs = [
                (
                    Pictures(batch.positions, pictures.to_uint8(batch.pixels).to(session.device)),
                    Pictures(batch.positions, pictures.to_uint8(images).to(session.device)),
                    [session.shown(split, row) for row in batch.positions.tolist()],
                )
                for batch, images in zip(watched, generated, strict=True)
            ]
            result = evaluation.run(pairs, paired=True, described=True, reference=kept)
            numbers = {f"during/{name}": number for name, number in result.numbers.items()}
            if session.is_first:
                first = watched[0].rows(0, SHOWN)
                rows = {"real": first.pixels, "generated": generated[0][:SHOWN]}
                items = fingerprints.items(session, averaged, first, split)
                session.picture(tracker, session.directory, "samples", rows, items=items, images=images_seen)
            return held_out_losses(session, averaged, watched) | numbers

        Trainer(
            directory=session.directory,
            phases=task.phases(),
            model=task,
            stream=latent_stream(session, task, batch=training.batch),
            training=training,
            tracker=tracker,
            device=session.device,
            max_loss=session.data.max_loss,
            profile_steps=session.config["engine"]["profile_steps"],
            during=look,
            facts=session.facts,
        ).run()


def nothing_to_train(session: Session) -> None:
    """Say so, where there are weights that came from elsewhere.

    Raises:
        FridoError: There are none.
    """
    found = checkpoint.latest(session.directory) if session.is_first else None
    if session.is_first and found is None:
        raise FridoError(
            "size.images",
            got=f"0, and no checkpoint in {session.directory}",
            wanted="images to train the denoiser on, or a run directory of python -m frido.convert",
            do="size.images=30720",
        )
    if session.is_first:
        print(f"denoiser: nothing to train (size.images=0); its weights are those of {found}")


def held_out_losses(session: Session, task: Any, batches: Sequence[Batch]) -> dict[str, float]:
    """Return the loss per scale, and per scale and band of time, as means over the images of all ranks."""
    sums = torch.zeros(len(session.frozen.channels), BANDS, dtype=torch.float64, device=session.device)
    for batch in batches:
        with session.autocast():
            losses = task.held_out_losses(batch._replace(images=None).to(session.device))
        sums += losses.double().sum(dim=-1)
    count = torch.tensor(sum(batch.size for batch in batches), dtype=torch.float64, device=session.device)
    means = (distributed.mean(sums) / distributed.mean(count)).tolist()
    numbers = {f"validation/loss/scale{scale}": sum(bands) / BANDS for scale, bands in enumerate(means)}
    return numbers | {
        f"validation/loss/scale{scale}/band{band}": loss
        for scale, bands in enumerate(means)
        for band, loss in enumerate(bands)
    }
