"""What a person asks for: scenes of their own, a picture filled in or drawn over."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, UInt8
from torch import Tensor

from frido.cli import photo, pictures
from frido.cli.build import build
from frido.cli.session import Session
from frido.conditioning.views.base import View
from frido.conditioning.views.given_mask import GivenMask
from frido.contracts import atomic
from frido.contracts.batch import Batch
from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.collate import to_float
from frido.data.wishes import read
from frido.diffusion.given import Given
from frido.diffusion.per_scale import at_scale
from frido.report import graph


def draw(session: Session) -> None:
    """Draw a person's scenes, around or over their picture if there is one; say what the judge finds missing."""
    drawing = session.drawing
    scenes = read(drawing.scenes, session.vocabulary) if drawing.scenes else [Scene(id=_stem(drawing.image))]
    place = session.directory / "samples" / drawing.folder(session.held_out("test").split)
    _check_place(place)
    _check_strength(session)
    task = session.trained_task()
    _check_parts(session, task)
    hole = _hole(session)
    if hole is not None and task.view.masks is not None:
        task.view.masks = GivenMask(hidden=hole.numpy())
    batch = session.data.reading.collate(scenes, session.vocabulary, torch.arange(len(scenes)))
    batch = _with_image(session, batch)
    given = _given(session, batch, task.view, hole)
    columns = {"generated": session.generate(task, session.with_view(batch, task.view), given=given)}
    if batch.images is not None:
        columns["shown"] = batch.images
        if hole is not None:
            columns["generated"] = torch.where(hole, columns["generated"], batch.images)
            columns["shown"] = torch.where(hole, -1.0, batch.images)
        if (shown := task.view.picture(batch)) is not None:
            columns["shown"] = shown
    with session.first_alone() as alone:
        if alone:
            with atomic.new_folder(place) as folder:
                told = _write(session, folder, scenes, {name: pictures.to_uint8(x) for name, x in columns.items()})
            print("\n".join([*told, f"drawn: {place}"]))


def _stem(path: Path | None) -> str:
    assert path is not None, "neither scenes nor a picture were asked for"
    return path.stem.replace(".", "_")


def _check_place(place: Path) -> None:
    if (place / "real").exists():
        do = "tag=ANOTHER_NAME"
        raise FridoError(str(place), got="samples of held-out scenes", wanted="a place that they do not need", do=do)


def _check_strength(session: Session) -> None:
    if session.drawing.strength is not None:
        at_scale(session.drawing.strength, 0, num_scales=len(session.frozen.channels), setting="strength")


def _check_parts(session: Session, task: Any) -> None:
    """Raise `FridoError` where the request lacks what this model draws by, or would not change what it draws."""
    drawing = session.drawing
    if drawing.scenes is None and (task.conditioner.width or task.conditioner.pooled_width):
        raise FridoError(
            "scenes",
            got="nothing",
            wanted="what the picture is to show: this run draws by a condition",
            do="scenes=FILE beside image=FILE",
        )
    if drawing.image and drawing.mask is None and drawing.strength is None and task.view.channels == 0:
        raise FridoError(
            f"image={drawing.image}",
            got="neither a mask nor a strength",
            wanted="what to do with it: this run's denoiser is shown nothing of an image",
            do="strength=0.6 to draw over it, or mask=FILE to fill in what is white there",
        )


def _hole(session: Session) -> Bool[Tensor, "height width"] | None:
    mask, resolution = session.drawing.mask, session.config["size"]["resolution"]
    return None if mask is None else torch.from_numpy(photo.hole(mask, resolution))


def _with_image(session: Session, batch: Batch) -> Batch:
    """Return the batch with the person's picture, if there is one, as the image of every scene."""
    image, resolution = session.drawing.image, session.config["size"]["resolution"]
    if image is None:
        return batch
    pixels = to_float(photo.picture(image, resolution)[None])
    return batch._replace(images=pixels.expand(batch.size, -1, -1, -1).contiguous())


def _given(
    session: Session, batch: Batch, view: View, hole: Bool[Tensor, "height width"] | None
) -> list[Given | None] | None:
    """Return what of each scale is given; `None` where all is drawn from noise.

    A mask that the view shows is not kept here as well: such a model has learnt to fit what is around a hole.
    """
    hole = None if view.masks is not None else hole
    strength = session.drawing.strength
    if batch.images is None or (hole is None and strength is None):
        return None
    pyramid = session.with_latents(batch).pyramid
    assert pyramid is not None
    given: list[Given | None] = []
    for scale, (latent, factor) in enumerate(zip(pyramid, session.frozen.factors, strict=True)):
        share = 1.0 if strength is None else at_scale(strength, scale, num_scales=len(pyramid), setting="strength")
        keep = None if hole is None else ~touched(hole, factor).expand_as(latent[:, :1])
        if share == 0:  # the latent as it is
            keep, share = torch.ones_like(latent[:, :1], dtype=torch.bool), 1.0
        keep = None if keep is None else keep.to(session.device)
        given.append(None if keep is None and share == 1 else Given(latent.to(session.device), keep, float(share)))
    return given


def touched(hole: Bool[Tensor, "height width"], factor: int) -> Bool[Tensor, "rows columns"]:
    """Return which cells of `factor` x `factor` pixels have a pixel in a hole: they are drawn anew."""
    return F.max_pool2d(hole[None].float(), factor)[0] > 0


def _write(
    session: Session, folder: Path, scenes: Sequence[Scene], columns: dict[str, UInt8[Tensor, "batch 3 height width"]]
) -> list[str]:
    """Fill `folder`; return lines that say, object by object, what the judge found."""
    for name, images in columns.items():
        for row, image in enumerate(images):
            pictures.save(image, folder / name / f"{row:06d}.png")
    for row, scene in enumerate(scenes):
        atomic.write_text(folder / "graphs" / f"{row:06d}.svg", graph.draw(scene))
    atomic.write_json(folder / "scenes.json", [scene.to_json() for scene in scenes])
    atomic.write_json(folder / "protocol.json", _protocol(session, len(scenes)))
    judge = build(session.config["metrics"]).judge()
    if judge is None:
        return []
    found = [judge.found(image, scene) for image, scene in zip(columns["generated"], scenes, strict=True)]
    atomic.write_json(folder / "found.json", found)
    told = []
    for scene, objects in zip(scenes, found, strict=True):
        told.append(scene.id)
        for item in objects:
            mark = "found  " if item["found"] else "MISSING"
            told.append(f"  {mark} {graph.name_of(scene, item['object'])}: {item['why']}")
    return told


def _protocol(session: Session, count: int) -> dict[str, Any]:
    drawing = session.drawing
    files = {name: path.name for name in ("image", "mask") if (path := getattr(drawing, name)) is not None}
    names = " and ".join(path.name for path in (drawing.scenes, drawing.image, drawing.mask) if path is not None)
    strength = {} if drawing.strength is None else {"strength": drawing.strength}
    return session.protocol(count=count, note=f"drawn from {names}") | files | strength
