"""Stage `sample`: draw the held-out scenes, or (`scenes=FILE`) the scenes that a person asks for."""

from pathlib import Path

import torch

from frido.cli import pictures
from frido.cli.build import build
from frido.cli.session import Session, progress
from frido.contracts import atomic
from frido.contracts.scene import Scene
from frido.data.collate import square
from frido.data.wishes import read
from frido.report import graph

BATCH = 64
ANECDOTES = 100  # fewer images than this are looked at, not counted


def run(session: Session) -> None:
    if session.scenes is None:
        held_out(session)
    else:
        wished(session, session.scenes)


def held_out(session: Session) -> None:
    """Draw `size.samples` held-out scenes, once; every rank draws its share of them."""
    split, note = session.held_out("test")
    folder = session.directory / "samples" / split
    shards = session.shards(split)
    count = min(session.config["size"]["samples"], len(shards))
    if count < ANECDOTES:
        note = "; ".join(part for part in (note, f"{count} images: no metric means anything at this size") if part)
    with session.written_once(folder, marker="protocol.json") as todo:
        if not todo:
            return
        task = session.trained_task()
        for batch in progress(list(session.in_order(split, batch=BATCH, count=count, share=True)), "sampling"):
            generated = pictures.to_uint8(session.generate(task, batch.annotations, keys=batch.positions))
            real = pictures.to_uint8(batch.pixels)
            for row, true, drawn in zip(batch.positions.tolist(), real, generated, strict=True):
                pictures.save(true, folder / "real" / f"{row:06d}.png")
                pictures.save(drawn, folder / "generated" / f"{row:06d}.png")
        with session.first_alone() as alone:
            if alone:
                scenes = [square(shards.scene(row)).to_json() for row in range(count)]
                atomic.write_json(folder / "scenes.json", scenes)
                atomic.write_json(folder / "protocol.json", session.protocol(count=count, note=note))


def wished(session: Session, path: Path) -> None:
    """Draw a person's scenes; say what the judge finds missing, object by object."""
    scenes = read(path, session.vocabulary)
    keys = torch.arange(len(scenes))
    batch = session.data.collate(scenes, session.vocabulary, positions=keys)
    generated = pictures.to_uint8(session.generate(session.trained_task(), batch.annotations, keys=keys))
    with session.first_alone() as alone:
        if alone:
            place = session.directory / "samples" / path.stem
            with atomic.new_folder(place) as folder:
                told = write_wished(session, folder, scenes, generated, note=f"drawn from {path.name}")
            print("\n".join([*told, f"drawn: {place}"]))


def write_wished(
    session: Session, folder: Path, scenes: list[Scene], generated: torch.Tensor, *, note: str
) -> list[str]:
    """Fill `folder`; return lines that say, object by object, what the judge found."""
    for row, (scene, image) in enumerate(zip(scenes, generated, strict=True)):
        pictures.save(image, folder / "generated" / f"{row:06d}.png")
        atomic.write_text(folder / "graphs" / f"{row:06d}.svg", graph.draw(scene))
    atomic.write_json(folder / "scenes.json", [scene.to_json() for scene in scenes])
    atomic.write_json(folder / "protocol.json", session.protocol(count=len(scenes), note=note))
    judge = build(session.config["metrics"]).judge()
    if judge is None:
        return []
    found = [judge.found(image, scene) for image, scene in zip(generated, scenes, strict=True)]
    atomic.write_json(folder / "found.json", found)
    told = []
    for scene, objects in zip(scenes, found, strict=True):
        told.append(scene.id)
        for item in objects:
            mark = "found  " if item["found"] else "MISSING"
            told.append(f"  {mark} {graph.name_of(scene, item['object'])}: {item['why']}")
    return told
