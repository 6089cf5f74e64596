"""Stage `autoencoder`: train the first stage, calibrate its scale factors, store it once for all who share it."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from frido.cli.build import build
from frido.cli.session import Session
from frido.contracts import atomic
from frido.engine.trainer import Trainer
from frido.tasks.autoencoding import psnr

CALIBRATION_IMAGES, HELD_OUT_IMAGES, SHOWN = 1024, 256, 8


def run(session: Session) -> None:
    directory = session.shared("autoencoder")
    with session.written_once(directory) as todo:
        if todo:
            train(session, directory)
    session.link("autoencoder", directory)


def train(session: Session, directory: Path) -> None:
    config = session.config
    training = build(config["training"]["autoencoder"])
    torch.manual_seed(config["autoencoder"]["seed"])
    task = build(config["first_stage"], autoencoder=build(config["autoencoder"])).to(session.device)
    split, _ = session.held_out("val")
    held_out = list(session.in_order(split, batch=64, count=HELD_OUT_IMAGES))
    shown = held_out[0].pixels[:SHOWN]

    with session.tracker(directory, "autoencoder", budget=training.images) as tracker:

        def look(images_seen: int, averaged: Any) -> None:
            """Reconstruct held-out images: the same ones each time."""
            reconstructed = averaged.autoencoder(shown.to(session.device)).images.cpu()
            rows = torch.cat([shown, reconstructed])
            session.picture(tracker, directory, "reconstructions", rows, columns=len(shown), images=images_seen)
            pixels = [batch.pixels.to(session.device) for batch in held_out]
            values = torch.cat([psnr(averaged.autoencoder(images).images, images) for images in pixels])
            tracker.log({"autoencoder/psnr_held_out": float(values.mean())}, images=images_seen)

        trainer = Trainer(
            directory=directory,
            phases=task.phases(),
            model=task,
            stream=session.loader("train", batch=training.batch, seed=config["autoencoder"]["seed"]),
            training=training,
            tracker=tracker,
            device=session.device,
            during=look,
            facts={"data": session.data_hash},
        )
        trainer.run()
        with trainer.averaged() as averaged:
            autoencoder: Any = averaged.autoencoder
            rows = session.in_order("train", batch=64, count=CALIBRATION_IMAGES)
            autoencoder.calibrate(batch.pixels.to(session.device) for batch in rows)
            if session.is_first:
                atomic.write_bytes(directory / "autoencoder.safetensors", save(autoencoder.state_dict()))
