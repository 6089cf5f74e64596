"""Stage `evaluate`: score the samples on disk, with the cards that say how."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from frido.cli import measured, pictures, tables
from frido.cli.build import build
from frido.cli.reference import reference
from frido.cli.session import Session
from frido.contracts import atomic
from frido.contracts.errors import FridoError
from frido.contracts.metric import Pictures
from frido.contracts.scene import Scene
from frido.tracking.jsonl import forget

BATCH, EXPLAINED = 64, 24


def run(session: Session) -> None:
    """Score the run's own samples; of others, the numbers stay beside them."""
    split, _ = session.held_out("test")
    folder = session.directory / "samples" / session.drawing.folder(split)
    if not (folder / "protocol.json").is_file():
        do = "stages=[sample,evaluate]"
        raise FridoError(str(folder), got="no finished samples", wanted="samples to score", do=do)
    evaluation = build(session.config["metrics"])
    scenes = [Scene.from_json(value) for value in json.loads((folder / "scenes.json").read_text())]
    result = evaluation.run(
        _batches(session, folder, scenes),
        paired=True,
        described=True,
        reference=reference(session, split, count=len(scenes)),
    )
    with session.first_alone() as alone:
        if not alone:
            return
        if judge := evaluation.judge():
            rows = range(min(EXPLAINED, len(scenes)))
            found = [judge.found(_load(folder / "generated", [row])[0], scenes[row]) for row in rows]
            atomic.write_json(folder / "found.json", found)
        protocol: dict[str, Any] = json.loads((folder / "protocol.json").read_text())
        place = session.directory if session.drawing.own else folder
        measured.add(place, result, {"split": split, **protocol})
        if not session.drawing.own:
            print("\n".join([f"{name}: {number:.4f}" for name, number in result.numbers.items()]))
            print(f"evaluated: {folder}")
            return
        images = session.config["training"]["denoiser"]["images"]
        forget(session.directory, result.numbers)
        with session.tracker(session.directory, "evaluate", budget=images) as tracker:
            tracker.log(result.numbers, images=images)
            tables.numbers(tracker, json.loads((place / "evaluation.json").read_text()), images=images)
            tables.samples(tracker, folder, scenes[:EXPLAINED], images=images)


def _batches(session: Session, folder: Path, scenes: list[Scene]) -> Iterator[tuple[Pictures, Pictures, list[Scene]]]:
    """Yield this rank's share of the samples, on its device."""
    for start in range(session.rank * BATCH, len(scenes), session.world_size * BATCH):
        rows = list(range(start, min(start + BATCH, len(scenes))))
        sides = (_load(folder / name, rows).to(session.device) for name in ("real", "generated"))
        real, generated = (Pictures(torch.tensor(rows), images) for images in sides)
        yield real, generated, [scenes[row] for row in rows]


def _load(folder: Path, rows: list[int]) -> Tensor:
    return torch.stack([pictures.load(folder / f"{row:06d}.png") for row in rows])
