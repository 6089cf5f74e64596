"""Open Images' files -> scenes: releases 4 to 7 as published, or as FiftyOne downloads them."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.contracts.geometry import Box, clipped
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.filters.base import Filter
from frido.data.filters.crowds import Gathered
from frido.data.filters.described import described
from frido.data.sources.annotated import Annotated
from frido.data.sources.open_images_rows import WHERE, RowsByImage

FOLDERS = {"train": "train", "val": "validation", "test": "test"}

GROUP = "group"
FLAGS = {
    "IsOccluded": "occluded",
    "IsTruncated": "truncated",
    "IsGroupOf": GROUP,
    "IsDepiction": "depiction",
    "IsInside": "inside",
}
"""Columns that become attributes of an object."""

BOX = ("LabelName", "XMin", "YMin", "XMax", "YMax", *FLAGS)
PAIR = (
    *("RelationshipLabel", "LabelName1", "XMin1", "YMin1", "XMax1", "YMax1"),
    *("LabelName2", "XMin2", "YMin2", "XMax2", "YMax2"),
)
CLASSES = ("class-descriptions-boxable.csv", "classes.csv")
ATTRIBUTES = ("attributes-description.csv", "attributes.csv")
"""Lists of two columns, by their names as published and in FiftyOne's layout."""

ATTRIBUTE = "is"
"""The relationship whose second end is an attribute of the first."""

SAME = 0.001
"""Edges closer than this, as fractions of the image, are one: a pixel of the published images."""

LAST = "/m/01s55n"
"""Suitcase: after all other classes in taming-transformers, whose numbering LDM and Frido share."""


class OpenImages(Annotated):
    """Photographs with boxes of 601 classes, and visual relationships where their files are there.

    The classes of the vocabulary are in the order of their ids ("/m/011k07"), the suitcase last: the numbering of
    taming-transformers, LDM and Frido, of which recipes drop some. The five flags of a box are attributes where they
    are 1; an unknown flag (-1) is none, while the official readers take it for true. Boxes are not deduplicated
    over the hierarchy of classes, nor are image-level labels read.

    The ends of a relationship are the boxes of the same class and, to a thousandth of the image, the same place. An
    end that has no such box is added after the boxes. The relationship "is" gives its first end an attribute.

    Any part of these is enough: `*train-annotations-bbox.csv`, `validation-...`, `test-...`,
    `*class-descriptions-boxable.csv`, `*train-annotations-vrd.csv` with `*attributes-description.csv`, and the images
    in `train/`, `validation/`, `test/`. In FiftyOne's layout each of these folders holds `data/`,
    `labels/detections.csv`, `labels/relationships.csv`, `metadata/classes.csv` and `metadata/attributes.csv`.

    Args:
        root: Folder of the files.
        filters: By name, in the order in which they are applied.

    Raises:
        FridoError: A file is missing or is no file of Open Images.
    """

    licence = "annotations: CC BY 4.0; images: listed as CC BY 2.0, each with an author of its own"
    origin = "Open Images, https://storage.googleapis.com/openimages/web/index.html"

    def __init__(self, *, root: str, filters: Mapping[str, Filter]) -> None:
        super().__init__(root=root, filters=filters)
        folders = {split: self.root / name for split, name in FOLDERS.items()}
        self._folders = {split: path / "data" if (path / "data").is_dir() else path for split, path in folders.items()}
        self._boxes = {split: RowsByImage(path, BOX) for split, path in self._tables("bbox", "detections")}
        if not self._boxes:
            raise FridoError(root, got="no table of boxes", wanted="train-annotations-bbox.csv or such", do=WHERE)
        self._pairs = {split: RowsByImage(path, PAIR) for split, path in self._tables("vrd", "relationships")}
        self._classes = self._names(*CLASSES)
        if not self._classes:
            raise FridoError(root, got="no class names", wanted="class-descriptions-boxable.csv", do=WHERE)
        self._attributes = self._names(*ATTRIBUTES)
        self._digests = {path.relative_to(self.root).as_posix(): sha256(path) for path in self._read()}
        handles = {split: range(len(boxes.images)) for split, boxes in self._boxes.items()}
        self._select(handles, self._words())

    def settings(self) -> dict[str, Any]:
        return {
            "name": "open_images",
            "relationships": sorted(self._pairs),
            "filters": described(self._filters),
            "annotations": self._digests,
        }

    def _read(self) -> list[Path]:
        """Return the files that were read."""
        tables = [rows.path for rows in (*self._boxes.values(), *self._pairs.values())]
        return [*tables, *self._lists(*CLASSES), *self._lists(*ATTRIBUTES)]

    def _path(self, split: str, handle: int) -> Path:
        return self._folders[split] / f"{self._image(split, handle)}.jpg"

    def _image(self, split: str, handle: int) -> str:
        name: bytes = self._boxes[split].images[handle]
        return name.decode()

    def _annotation(self, split: str, handle: int) -> Scene:
        image = self._image(split, handle)
        objects: list[Object] = []
        for label, *numbers in self._boxes[split].rows(handle):
            flags = tuple(word for word, flag in zip(FLAGS.values(), numbers[4:], strict=True) if flag == "1")
            objects.append(Gathered(self._category(label), _box(numbers[:4]), flags, crowd=GROUP in flags))
        relationships: list[Relationship] = []
        pairs = self._pairs.get(split)
        number = pairs.number(image) if pairs else None
        if pairs is not None and number is not None:
            for predicate, *ends in pairs.rows(number):
                self._relate(predicate, ends, objects, relationships)
        return Scene(image, tuple(objects), tuple(relationships))

    def _relate(self, predicate: str, ends: list[str], objects: list[Object], told: list[Relationship]) -> None:
        """Add what a row of the relationships' table says."""
        subject = _find(self._category(ends[0]), _box(ends[1:5]), objects)
        if predicate == ATTRIBUTE:
            item, word = objects[subject], self._attributes.get(ends[5], ends[5])
            objects[subject] = replace(item, attributes=tuple(dict.fromkeys((*item.attributes, word))))
        else:
            second = _find(self._category(ends[5]), _box(ends[6:10]), objects)
            told.append(Relationship(subject, predicate, second))

    def _category(self, label: str) -> str:
        if label not in self._classes:
            raise FridoError(
                f"class {label}", got="no name for it", wanted="a line of class-descriptions-boxable.csv", do=WHERE
            )
        return self._classes[label]

    def _words(self) -> Vocabulary:
        classes = sorted(self._classes, key=lambda label: (label == LAST, label))
        predicates: set[str] = set()
        attributes: set[str] = set()
        for pairs in self._pairs.values():
            for number in range(len(pairs.images)):
                for predicate, *ends in pairs.rows(number):
                    if predicate == ATTRIBUTE:
                        attributes.add(self._attributes.get(ends[5], ends[5]))
                    else:
                        predicates.add(predicate)
        return Vocabulary(
            tuple(dict.fromkeys(self._classes[label] for label in classes)),
            (*FLAGS.values(), *sorted(attributes - set(FLAGS.values()))),
            tuple(sorted(predicates)),
        )

    def _tables(self, flat: str, fiftyone: str) -> Iterable[tuple[str, Path]]:
        """Return the tables of a kind that are there, by split."""
        for split, name in FOLDERS.items():
            found = sorted(self.root.glob(f"*{name}-annotations-{flat}.csv"))
            found += [self.root / name / "labels" / f"{fiftyone}.csv"]
            yield from ((split, path) for path in found[:1] if path.is_file())

    def _names(self, flat: str, fiftyone: str) -> dict[str, str]:
        """Return what the ids of a list of two columns mean, with or without a header; empty where there is none."""
        names: dict[str, str] = {}
        for path in self._lists(flat, fiftyone):
            with path.open(encoding="utf-8", newline="") as file:
                names = {row[0]: row[1] for row in csv.reader(file) if len(row) > 1}
        names.pop("LabelName", None)
        return names

    def _lists(self, flat: str, fiftyone: str) -> list[Path]:
        """Return the list that is read, or none."""
        return sorted([*self.root.glob(f"*{flat}"), *self.root.glob(f"*/metadata/{fiftyone}")])[:1]


def _box(edges: Iterable[str]) -> Box:
    left, top, right, bottom = map(float, edges)
    return clipped((left, top, right, bottom))


def _find(category: str, box: Box, objects: list[Object]) -> int:
    """Return the object of this category at this place, added at the end where there is none."""
    for number, item in enumerate(objects):
        if item.category == category and all(abs(a - b) < SAME for a, b in zip(item.box, box, strict=True)):
            return number
    objects.append(Object(category, box))
    return len(objects) - 1
