"""Stage `evaluate`: score the samples on disk, with the cards that say how."""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from frido.cli import pictures
from frido.cli.build import build
from frido.cli.session import Session
from frido.contracts import atomic
from frido.contracts.errors import FridoError
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
    share = range(session.rank * BATCH, len(scenes), session.world_size * BATCH)
    result = evaluation.run(_batches(folder, scenes, share))
    with session.first_alone() as alone:
        if not alone:
            return
        if judge := evaluation.judge():
            rows = range(min(EXPLAINED, len(scenes)))
            found = [judge.found(_load(folder / "generated", [row])[0], scenes[row]) for row in rows]
            atomic.write_json(folder / "found.json", found)
        protocol = json.loads((folder / "protocol.json").read_text())
        told = {"split": split, "ema": protocol["ema"], "note": protocol["note"]}
        cards = {name: {**card, **told} for name, card in result.cards.items()}
        if not session.drawing.own:
            atomic.write_json(folder / "evaluation.json", cards)
            print("\n".join([f"{name}: {number:.4f}" for name, number in result.numbers.items()]))
            print(f"evaluated: {folder}")
            return
        atomic.write_json(session.directory / "evaluation.json", cards)
        images = session.config["training"]["denoiser"]["images"]
        forget(session.directory, result.numbers)
        with session.tracker(session.directory, "evaluate", budget=images) as tracker:
            tracker.log(result.numbers, images=images)


def _batches(folder: Path, scenes: list[Scene], starts: range) -> Iterator[tuple[Tensor, Tensor, list[Scene]]]:
    for start in starts:
        rows = list(range(start, min(start + BATCH, len(scenes))))
        yield _load(folder / "real", rows), _load(folder / "generated", rows), [scenes[row] for row in rows]


def _load(folder: Path, rows: list[int]) -> Tensor:
    return torch.stack([pictures.load(folder / f"{row:06d}.png") for row in rows])
