"""Stage `sample`: draw the held-out scenes, or what a person asks for."""

import json
from pathlib import Path
from typing import Any

import torch

from frido.cli import fingerprints, pictures, wished
from frido.cli.at_once import at_once
from frido.cli.filmstrips import Filmstrips
from frido.cli.session import Session, progress
from frido.contracts import atomic
from frido.contracts.errors import FridoError

ANECDOTES = 100  # fewer images than this are looked at, not counted
ROWS = 64  # whose noise is drawn together


def run(session: Session) -> None:
    if session.drawing.personal:
        wished.draw(session)
    else:
        held_out(session)


def held_out(session: Session) -> None:
    """Draw `size.samples` held-out scenes, once; every rank draws its share of them."""
    split, note = session.held_out("test")
    folder = session.directory / "samples" / session.drawing.folder(split)
    count = min(session.config["size"]["samples"], len(session.rows(split)))
    if count < ANECDOTES:
        note = "; ".join(part for part in (note, f"{count} images: no metric means anything at this size") if part)
    protocol = session.protocol(count=count, note=note)
    with session.written_once(folder, marker="protocol.json") as todo:
        if not todo:
            check_drawn_alike(folder, protocol)
            return
        task = session.trained_task()
        strips = Filmstrips(session=session, task=task, split=split)
        for batch in progress(
            list(session.in_order(split, batch=at_once(session.config), count=count, share=True)), "sampling"
        ):
            watch = strips.watch(batch) if session.is_first else None
            drawn = session.generate(task, session.with_view(batch, task.view), watch=watch)
            columns = {"real": batch.pixels, "generated": drawn}
            if (shown := task.view.picture(batch)) is not None:
                columns["shown"] = shown
            for name, images in columns.items():
                for row, image in zip(batch.positions.tolist(), pictures.to_uint8(images), strict=True):
                    pictures.save(image, folder / name / f"{row:06d}.png")
        with session.first_alone() as alone:
            if alone:
                scenes = [session.shown(split, row).to_json() for row in range(count)]
                atomic.write_json(folder / "scenes.json", scenes)
                strips.save(folder / "filmstrips")
                noise = write_noise(session, task, folder, count=count)
                atomic.write_json(folder / "protocol.json", protocol | {"noise": noise})


def write_noise(session: Session, task: Any, folder: Path, *, count: int) -> str:
    """Write `noise.json`, the fingerprints of the noise that each of `count` rows began with; return that of all."""
    rows = [torch.arange(start, min(start + ROWS, count)) for start in range(0, count, ROWS)]
    found = [text for some in rows for text in fingerprints.of_noise(session.first_noise(task, some))]
    atomic.write_json(folder / "noise.json", {"how": fingerprints.HOW, "rows": found})
    return fingerprints.together(found)


ALIKE = ("sampler", "guidance", "teacher_forcing", "ema", "seed", "count")


def check_drawn_alike(folder: Path, protocol: dict[str, Any]) -> None:
    """Raise `FridoError` where the finished samples in `folder` were drawn otherwise: they are never overwritten."""
    there = json.loads((folder / "protocol.json").read_text())
    for name in ALIKE:
        if name in there and there[name] != protocol[name]:
            raise FridoError(
                str(folder),
                got=f"samples with {name} {there[name]}",
                wanted=f"{name} {protocol[name]}, or an empty place",
                do="tag=ANOTHER_NAME",
            )
