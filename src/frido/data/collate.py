"""What a frame shows of a scene, as padded arrays: the rows of `Annotations`."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from frido.contracts.errors import FridoError, nearest
from frido.contracts.geometry import WHOLE
from frido.contracts.scene import KINDS, Object, Relationship, Scene, Vocabulary
from frido.data.filters.base import with_objects
from frido.data.framing.base import Coordinates, Frame
from frido.data.framing.mirror import exchanged_words
from frido.data.images import labels
from frido.data.sources.image_node import IMAGE, IN_IMAGE

PADDING = -1


def segments(scene: Scene, vocabulary: Vocabulary, resolution: int, frame: Frame) -> np.ndarray:
    """Return int16 `(resolution, resolution)`, the category of each pixel that is shown, -1 for none.

    Raises:
        FridoError: A value is no category of the vocabulary, or the segmentation cannot be decoded.
    """
    what = f"segmentation of scene {scene.id}"
    found = labels(scene.segmentation, resolution, frame=frame, where=what)
    if found.max() >= len(vocabulary.categories):
        raise FridoError(
            what,
            got=f"the value {found.max() + 1}",
            wanted=f"0 for none, or the index of one of the {len(vocabulary.categories)} categories plus 1",
            do="pack the dataset again from a source that numbers its segments so",
        )
    return found


def to_float(images: np.ndarray) -> Tensor:
    """Return uint8 images as float32 in [-1, 1]."""
    return torch.from_numpy(images).div(127.5).sub_(1.0)


def framed(scene: Scene, frame: Frame, coordinates: Coordinates) -> Scene:
    """Return the annotations of the part of a scene's image that is shown; objects outside of it are left out.

    Relationships stay with their objects, whatever the crop leaves of these. In a mirrored scene "left" and "right"
    are exchanged in attributes, predicates and captions; the new words need not be in the vocabulary (see `annotate`).
    Categories keep their names. The image itself is kept as it is, and so are the visible shares of objects.
    """
    if frame.box == WHOLE and not frame.mirrored and scene.width == scene.height:
        return scene
    kept: list[tuple[int, Object]] = []
    for number, item in enumerate(scene.objects):
        box = coordinates.box(item.box, frame)
        if box is not None:
            kept.append((number, replace(item, box=box)))
    left, top, right, bottom = frame.box
    side = round(min((right - left) * scene.width, (bottom - top) * scene.height))
    shown = replace(with_objects(scene, kept), width=side, height=side)
    return _mirrored(shown) if frame.mirrored else shown


def _mirrored(scene: Scene) -> Scene:
    return replace(
        scene,
        objects=tuple(
            replace(item, attributes=tuple(exchanged_words(word) for word in item.attributes)) for item in scene.objects
        ),
        relationships=tuple(
            Relationship(told.subject, exchanged_words(told.predicate), told.object) for told in scene.relationships
        ),
        captions=tuple(exchanged_words(text) for text in scene.captions),
    )


def at_most(scene: Scene, max_objects: int) -> Scene:
    """Return `scene` with at most so many objects, in their order: those in relationships before the others.

    The image itself, where it is an object, is always left, and what is in relation to it alone is related to nothing.
    """
    if len(scene.objects) <= max_objects:
        return scene
    told = (one for one in scene.relationships if one.predicate != IN_IMAGE)
    related = {end for one in told for end in (one.subject, one.object)}
    image = {number for number, item in enumerate(scene.objects) if item.category == IMAGE}
    chosen = sorted(sorted(range(len(scene.objects)), key=lambda i: (i not in image, i not in related))[:max_objects])
    return with_objects(scene, [(number, scene.objects[number]) for number in chosen])


def annotate(
    scene: Scene,
    vocabulary: Vocabulary,
    frame: Frame,
    *,
    max_objects: int,
    max_relationships: int,
    max_attributes: int,
    max_caption: int,
) -> tuple[np.ndarray, ...]:
    """Return one row of `Annotations` as padded arrays, in the order of its fields.

    Of more than `max_objects` objects, those in relationships come first, as in sg2im. Ids are padded with -1, boxes
    with 0. Attributes and relationships of a mirrored scene for which the vocabulary lacks the exchanged word ("on
    left side of" without "on right side of") are left out: none of its words would be true.

    Args:
        scene: As `framed` returns it.
        vocabulary: Of the dataset.
        frame: What is shown of the scene's image.
        max_objects: Rows for objects.
        max_relationships: Rows for relationships.
        max_attributes: Attributes of an object that are kept, the first ones.
        max_caption: Bytes of a caption that are kept.

    Raises:
        FridoError: A word is not in the vocabulary.
    """
    ids = ids_of(vocabulary)
    scene = at_most(_sayable(scene, vocabulary) if frame.mirrored else scene, max_objects)
    categories = np.full(max_objects, PADDING, np.int64)
    attributes = np.full((max_objects, max_attributes), PADDING, np.int64)
    boxes = np.zeros((max_objects, 4), np.float32)
    relationships = np.full((max_relationships, 3), PADDING, np.int64)
    for row, item in enumerate(scene.objects):
        categories[row] = _id(ids[0], item.category, "category", scene)
        boxes[row] = item.box
        for column, word in enumerate(item.attributes[:max_attributes]):
            attributes[row, column] = _id(ids[1], word, "attribute", scene)
    # what an image cannot do without comes first: each object's relationship to the image itself
    told_first = sorted(scene.relationships, key=lambda told: told.predicate != IN_IMAGE)
    for row, told in enumerate(told_first[:max_relationships]):
        relationships[row] = told.subject, _id(ids[2], told.predicate, "predicate", scene), told.object
    crop, mirrored = np.array(frame.crop, np.float32), np.array(frame.mirrored)
    return categories, attributes, boxes, relationships, caption(scene, max_caption), crop, mirrored


def _sayable(scene: Scene, vocabulary: Vocabulary) -> Scene:
    """Return a mirrored scene without words of which the vocabulary has the unmirrored form alone."""
    _, attributes, predicates = ids_of(vocabulary)
    return replace(
        scene,
        objects=tuple(
            replace(item, attributes=tuple(word for word in item.attributes if not _lost(word, attributes)))
            for item in scene.objects
        ),
        relationships=tuple(told for told in scene.relationships if not _lost(told.predicate, predicates)),
    )


def _lost(word: str, ids: dict[str, int]) -> bool:
    return word not in ids and exchanged_words(word) in ids


def caption(scene: Scene, max_caption: int) -> np.ndarray:
    """Return the first caption as UTF-8 bytes padded with 0; one that is too long ends before a word."""
    text = scene.captions[0].encode() if scene.captions else b""
    if len(text) > max_caption:
        text = text[: max_caption + 1].rpartition(b" ")[0][:max_caption]
    row = np.zeros(max_caption, np.uint8)
    row[: len(text)] = np.frombuffer(text, np.uint8)
    return row


_tables: dict[Vocabulary, tuple[dict[str, int], ...]] = {}


def ids_of(vocabulary: Vocabulary) -> tuple[dict[str, int], ...]:
    """Return the index of every category, of every attribute and of every predicate."""
    if vocabulary not in _tables:
        lists = (getattr(vocabulary, kind) for kind in KINDS)
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
