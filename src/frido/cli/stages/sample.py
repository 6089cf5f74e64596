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
    with session.written_once(folder, marker="protocol.json") as todo:
        if not todo:
            return
        task = session.trained_task()
        for batch in progress(list(session.in_order(split, batch=BATCH, count=count, share=True)), "sampling"):
            generated = pictures.to_uint8(session.generate(task, batch.annotations, keys=batch.positions))
            real = pictures.to_uint8(batch.images)
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
            folder = session.directory / "samples" / path.stem
            write_wished(session, folder, scenes, generated, note=f"drawn from {path.name}")


def write_wished(session: Session, folder: Path, scenes: list[Scene], generated: torch.Tensor, *, note: str) -> None:
    for row, (scene, image) in enumerate(zip(scenes, generated, strict=True)):
        pictures.save(image, folder / "generated" / f"{row:06d}.png")
        atomic.write_text(folder / "graphs" / f"{row:06d}.svg", graph.draw(scene))
    atomic.write_json(folder / "scenes.json", [scene.to_json() for scene in scenes])
    judge = build(session.config["metrics"]).judge()
    if judge is not None:
        found = [judge.found(image, scene) for image, scene in zip(generated, scenes, strict=True)]
        atomic.write_json(folder / "found.json", found)
        for row, (scene, objects) in enumerate(zip(scenes, found, strict=True)):
            print(f"{folder / 'generated' / f'{row:06d}.png'}")
            for told in objects:
                mark = "found  " if told["found"] else "MISSING"
                print(f"  {mark} {graph.name_of(scene, told['object'])}: {told['why']}")
    atomic.write_json(folder / "protocol.json", session.protocol(count=len(scenes), note=note))
    print(f"drawn: {folder}")
