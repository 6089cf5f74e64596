"""Stage `denoiser`: train the second stage from latents, in the run directory itself."""

from typing import Any

import torch

from frido.cli import pictures, provenance
from frido.cli.build import build
from frido.cli.session import Session
from frido.data.collate import square
from frido.data.latents import LatentStream, LatentTable
from frido.data.order import Order
from frido.engine.trainer import Trainer

SHOWN = 8


def run(session: Session) -> None:
    config = session.config
    training = build(config["training"]["denoiser"])
    evaluation = build(config["metrics"])
    task = session.new_task()
    table = LatentTable.load(session.path("latents") / "train.safetensors")
    stream = LatentStream(
        table,
        order=Order.of(session.shards("train"), seed=config["seed"]),
        batch=training.batch,
        rank=session.rank,
        world_size=session.world_size,
    )
    split, _ = session.held_out("val")
    shards = session.shards(split)
    watched = list(session.in_order(split, batch=64, count=config["size"]["watched"], share=True))

    with session.first_alone() as alone:
        if alone:
            counts = {"denoiser": task, "autoencoder": session.frozen}
            parameters = {name: sum(p.numel() for p in module.parameters()) for name, module in counts.items()}
            provenance.complete(session.directory, parameters=parameters)

    with session.tracker(session.directory, "denoiser", budget=training.images) as tracker:

        def look(images_seen: int, averaged: Any) -> None:
            """Draw held-out scenes and score them: the same scenes and noise each time, by averaged weights."""
            generated = [session.generate(averaged, batch.annotations, keys=batch.positions) for batch in watched]
            result = evaluation.run(
                (
                    pictures.to_uint8(batch.pixels),
                    pictures.to_uint8(images),
                    [square(shards.scene(row)) for row in batch.positions.tolist()],
                )
                for batch, images in zip(watched, generated, strict=True)
            )
            numbers = {f"during/{name}": number for name, number in result.numbers.items()}
            tracker.log(numbers, images=images_seen)
            if session.is_first:
                rows = torch.cat([watched[0].pixels[:SHOWN], generated[0][:SHOWN]])
                columns = len(rows) // 2
                session.picture(tracker, session.directory, "samples", rows, columns=columns, images=images_seen)

        Trainer(
            directory=session.directory,
            phases=task.phases(),
            model=task,
            stream=stream,
            training=training,
            tracker=tracker,
            device=session.device,
            during=look,
            facts={"data": session.data_hash, "autoencoder": session.path("autoencoder").name},
        ).run()
