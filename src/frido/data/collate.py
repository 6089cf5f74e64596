"""Scenes -> one `Batch` of tensors."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from frido.contracts.batch import Annotations, Batch
from frido.contracts.errors import FridoError, nearest
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.images import decoded, labels

PADDING = -1


def collate(
    scenes: Sequence[Scene],
    vocabulary: Vocabulary,
    *,
    resolution: int,
    max_objects: int,
    max_relationships: int,
    max_attributes: int,
    max_caption: int,
    positions: Int[Tensor, "batch"],
) -> Batch:
    """Return `scenes` as a batch; `images` is `None` when they carry none, and so is `segmentation`.

    Images are resized (shorter side, antialiased) and centre cropped to `resolution` pixels; boxes follow, and
    segmentations by nearest neighbour.
    Of more than `max_objects` objects, those in relationships come first, as in sg2im. Ids are padded with -1,
    boxes with 0.

    Raises:
        FridoError: A word is not in the vocabulary, or an image cannot be decoded.
    """
    images = segmentation = None
    if all(scene.image for scene in scenes):
        images = to_float(np.stack([decoded(s.image, resolution, where=f"image of scene {s.id}") for s in scenes]))
    if all(scene.segmentation for scene in scenes):
        segmentation = torch.from_numpy(
            np.stack([_segments(s, len(vocabulary.categories), resolution) for s in scenes])
        )
    limits = {
        "max_objects": max_objects,
        "max_relationships": max_relationships,
        "max_attributes": max_attributes,
        "max_caption": max_caption,
    }
    rows = [annotate(square(scene), vocabulary, **limits) for scene in scenes]
    return Batch(
        images=images,
        annotations=Annotations(*(torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))),
        ids=tuple(scene.id for scene in scenes),
        positions=positions,
        valid=torch.ones(len(scenes), dtype=torch.bool),
        segmentation=segmentation,
    )


def _segments(scene: Scene, num_categories: int, resolution: int) -> np.ndarray:
    """Return int16 `(resolution, resolution)`, the category of each pixel, -1 for none."""
    found = labels(scene.segmentation, resolution, where=f"segmentation of scene {scene.id}")
    if found.max() >= num_categories:
        raise FridoError(
            f"segmentation of scene {scene.id}",
            got=f"the value {found.max() + 1}",
            wanted=f"0 for none, or the index of one of the {num_categories} categories plus 1",
            do="pack the dataset again from a source that numbers its segments so",
        )
    return found


def to_float(images: np.ndarray) -> Tensor:
    """Return uint8 images as float32 in [-1, 1]."""
    return torch.from_numpy(images).float().div_(127.5).sub_(1.0)


def square(scene: Scene) -> Scene:
    """Return the annotations of the centre square of a scene's image; objects outside of it are left out.

    A scene that is square, or has no image, is returned as it is. The image itself is kept as it is in any case.
    """
    if scene.width == scene.height:
        return scene
    side = min(scene.width, scene.height)
    across, down = scene.width / side, scene.height / side
    kept: list[Object] = []
    number: dict[int, int] = {}
    for old, item in enumerate(scene.objects):
        left, right = (_clip((edge - 0.5) * across + 0.5) for edge in item.box[0::2])
        top, bottom = (_clip((edge - 0.5) * down + 0.5) for edge in item.box[1::2])
        if left < right and top < bottom:
            number[old] = len(kept)
            kept.append(replace(item, box=(left, top, right, bottom)))
    return replace(
        scene, objects=tuple(kept), relationships=_renumbered(scene.relationships, number), width=side, height=side
    )


def _clip(fraction: float) -> float:
    return min(1.0, max(0.0, fraction))


def _renumbered(relationships: Sequence[Relationship], number: dict[int, int]) -> tuple[Relationship, ...]:
    return tuple(
        Relationship(number[r.subject], r.predicate, number[r.object])
        for r in relationships
        if r.subject in number and r.object in number
    )


def at_most(scene: Scene, max_objects: int) -> Scene:
    """Return `scene` with at most so many objects, in their order: those in relationships before the others."""
    if len(scene.objects) <= max_objects:
        return scene
    related = {end for r in scene.relationships for end in (r.subject, r.object)}
    chosen = sorted(sorted(range(len(scene.objects)), key=lambda i: i not in related)[:max_objects])
    number = {old: new for new, old in enumerate(chosen)}
    objects = tuple(scene.objects[old] for old in chosen)
    return replace(scene, objects=objects, relationships=_renumbered(scene.relationships, number))


def annotate(
    scene: Scene,
    vocabulary: Vocabulary,
    *,
    max_objects: int,
    max_relationships: int,
    max_attributes: int,
    max_caption: int,
) -> tuple[np.ndarray, ...]:
    """Return one row of `Annotations` as padded arrays, in the order of its fields."""
    scene = at_most(scene, max_objects)
    categories = np.full(max_objects, PADDING, np.int64)
    attributes = np.full((max_objects, max_attributes), PADDING, np.int64)
    boxes = np.zeros((max_objects, 4), np.float32)
    relationships = np.full((max_relationships, 3), PADDING, np.int64)
    ids = _ids(vocabulary)
    for row, item in enumerate(scene.objects):
        categories[row] = _id(ids[0], item.category, "category", scene)
        boxes[row] = item.box
        for column, word in enumerate(item.attributes[:max_attributes]):
            attributes[row, column] = _id(ids[1], word, "attribute", scene)
    for row, told in enumerate(scene.relationships[:max_relationships]):
        relationships[row] = told.subject, _id(ids[2], told.predicate, "predicate", scene), told.object
    return categories, attributes, boxes, relationships, caption(scene, max_caption)


def caption(scene: Scene, max_caption: int) -> np.ndarray:
    """Return the first caption as UTF-8 bytes padded with 0; one that is too long ends before a word."""
    text = scene.captions[0].encode() if scene.captions else b""
    if len(text) > max_caption:
        text = text[: max_caption + 1].rpartition(b" ")[0][:max_caption]
    row = np.zeros(max_caption, np.uint8)
    row[: len(text)] = np.frombuffer(text, np.uint8)
    return row


_tables: dict[Vocabulary, tuple[dict[str, int], ...]] = {}


def _ids(vocabulary: Vocabulary) -> tuple[dict[str, int], ...]:
    if vocabulary not in _tables:
        lists = (vocabulary.categories, vocabulary.attributes, vocabulary.predicates)
        _tables[vocabulary] = tuple({word: row for row, word in enumerate(words)} for words in lists)
    return _tables[vocabulary]


def _id(ids: dict[str, int], word: str, kind: str, scene: Scene) -> int:
    try:
        return ids[word]
    except KeyError:
        raise FridoError(
            f"scene {scene.id}: its {kind}",
            got=repr(word),
            wanted=f"one of the {len(ids)} words of this dataset",
            do=f"try {' or '.join(nearest(word, ids)) or ', '.join(list(ids)[:5])}",
        ) from None
