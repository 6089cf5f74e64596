"""Stage `autoencoder`: train the first stage, calibrate its scale factors, store it once for all who share it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from frido.cli import health, tables
from frido.cli.at_once import at_once
from frido.cli.build import build
from frido.cli.reference import reference
from frido.cli.session import Session
from frido.contracts import atomic
from frido.contracts.errors import FridoError
from frido.engine import checkpoint
from frido.engine.trainer import Trainer
from frido.report import run as record
from frido.report.curves import duration_seconds
from frido.tracking.several import SeveralTrackers

WATCHED_IMAGES, FINAL_IMAGES, SHOWN = 256, 1024, 8


def run(session: Session) -> None:
    directory = session.shared("autoencoder")
    with session.written_once(directory) as todo:
        if todo:
            fill(session, directory)
    session.link("autoencoder", directory)


def fill(session: Session, directory: Path) -> None:
    """Write `autoencoder.safetensors` and, about it, `evaluation.json`, curves and pictures."""
    config = session.config
    torch.manual_seed(config["autoencoder"]["seed"])
    task = session.placed(build(config["first_stage"], autoencoder=build(config["autoencoder"])))
    session.check_second_stage(task.autoencoder)
    evaluation = build(config["metrics"]).of_features()
    budget = config["training"]["autoencoder"]["images"]
    if trained := _to_train(task, budget):
        autoencoder = train(session, directory, task, evaluation)
    else:
        autoencoder = task.autoencoder.eval().requires_grad_(False)
        _draw(session, directory, autoencoder, SeveralTrackers(trackers=[]), images_seen=0)
    if not autoencoder.calibrated:
        seen = session.once(batch=at_once(session.config), count=task.calibration_images, share=True)
        autoencoder.calibrate(batch.pixels.to(session.device) for batch in seen)
    cards = final_cards(session, directory, task, autoencoder, evaluation)
    if session.is_first:
        atomic.write_json(directory / "evaluation.json", cards)
        atomic.write_bytes(directory / "autoencoder.safetensors", save(checkpoint.separate(autoencoder.state_dict())))
    if trained:
        with session.tracker(directory, "autoencoder", budget=budget) as tracker:
            tables.numbers(tracker, cards, images=budget)


def train(session: Session, directory: Path, task: Any, evaluation: Any) -> Any:
    """Train to the budget, looking at held-out images on the way; return the averaged autoencoder."""
    config = session.config
    training = build(config["training"]["autoencoder"])
    split, _ = session.held_out("val")
    held_out = list(_images(session, split, count=WATCHED_IMAGES))
    kept = reference(session, split, count=WATCHED_IMAGES)

    with session.tracker(directory, "autoencoder", budget=training.images) as tracker:

        def look(images_seen: int, averaged: Any) -> dict[str, float]:
            """Reconstruct held-out images: the same ones each time."""
            _draw(session, directory, averaged.autoencoder, tracker, images_seen=images_seen)
            found = health.measure(
                averaged.autoencoder,
                held_out,
                perceptual=task.loss.perceptual,
                evaluation=evaluation,
                reference=kept,
            )
            return {f"held_out/{name}": value for name, value in found.numbers.items()}

        trainer = Trainer(
            directory=directory,
            phases=task.phases(),
            model=task,
            stream=session.stream(batch=training.batch, seed=config["autoencoder"]["seed"]),
            training=training,
            tracker=tracker,
            device=session.device,
            max_loss=session.data.max_loss,
            profile_steps=session.config["engine"]["profile_steps"],
            during=look,
            facts={"data": session.data_hash},
        )
        trainer.run()
        with trainer.averaged() as averaged:
            autoencoder: Any = averaged.autoencoder
        return autoencoder


def final_cards(
    session: Session, directory: Path, task: Any, autoencoder: Any, evaluation: Any
) -> dict[str, dict[str, Any]]:
    """Return a card for every number of the finished first stage, so that first stages compare by their files."""
    split, note = session.held_out("val")
    images = _images(session, split, count=FINAL_IMAGES)
    kept = reference(session, split, count=FINAL_IMAGES)
    found = health.measure(autoencoder, images, perceptual=task.loss.perceptual, evaluation=evaluation, reference=kept)
    common = {"images": min(FINAL_IMAGES, len(session.rows(split))), "split": split, "note": note}
    measured = {name: {"value": value} for name, value in found.numbers.items()} | found.cards
    cards = {f"held_out/{name}": card | common for name, card in measured.items()}
    if task.loss.perceptual is not None:
        cards["held_out/lpips"]["network"] = session.config["first_stage"]["loss"]["perceptual"]
    cards["parameters"] = {"value": sum(parameter.numel() for parameter in autoencoder.parameters())}
    if session.is_first and (directory / "timing.jsonl").exists():
        trained = record.read(directory, follow=False)
        speed = trained.images_seen / duration_seconds(trained)
        cards["images_per_second"] = {"value": speed, "hardware": session.config["hardware"]}
    return cards


def _to_train(task: Any, budget: int) -> bool:
    """Return whether there is anything to train, and a budget for it."""
    parameters = any(True for _ in task.autoencoder.parameters())
    if parameters and budget == 0 and task.weights is None:
        raise FridoError(
            "size.autoencoder_images",
            got="0, without first_stage.weights",
            wanted="images to train the first stage on, or weights of a trained one",
            do="size.autoencoder_images=9216, or first_stage.weights=FILE",
        )
    return parameters and budget > 0


def _draw(session: Session, directory: Path, autoencoder: Any, tracker: Any, *, images_seen: int) -> None:
    split, _ = session.held_out("val")
    (shown,) = session.in_order(split, batch=SHOWN, count=SHOWN)
    scenes = [session.shown(split, row) for row in shown.positions.tolist()]
    items = [{"scene": scene.id, "scene_json": scene.to_json()} for scene in scenes]
    rows = health.rows(autoencoder, shown.pixels)
    session.picture(tracker, directory, "reconstructions", rows, items=items, images=images_seen)


def _images(session: Session, split: str, *, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield this rank's share of the first `count` images of a split, on the CPU, with their positions."""
    for rows in session.in_order(split, batch=at_once(session.config), count=count, share=True):
        yield rows.positions, rows.pixels
