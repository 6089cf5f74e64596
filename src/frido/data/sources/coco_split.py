"""What the annotation files of one published split say, small enough to keep for the whole of COCO."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from frido.contracts.errors import FridoError
from frido.data.sources.coco_json import CocoJson, Record

KINDS = ("instances", "stuff", "captions")


class Photograph(NamedTuple):
    """An image: its id, the name of its file, and its size in pixels."""

    id: int
    file: str
    width: int
    height: int


class Annotation(NamedTuple):
    """An object: what the files say of it but its mask, which `CocoSplit.segmentation` reads again.

    Args:
        row: By which `CocoSplit` knows it.
        category: Its category's id.
        box: `(left, top, width, height)`, pixels.
        crowd: Whether it stands for several things.
        stuff: Whether the stuff file has it.
    """

    row: int
    category: int
    box: tuple[float, float, float, float]
    crowd: bool
    stuff: bool


class CocoSplit:
    """Images of one split with their objects and captions.

    Objects are those of the instances, then those of stuff, each in the order of its file. Polygons and run-length
    codes stay on disk: only their places are kept, 49 bytes an object with all it says.

    Args:
        files: The annotation files by kind, in the order of `KINDS`.

    Raises:
        FridoError: A file cannot be read or lacks what COCO's have.
    """

    def __init__(self, files: dict[str, Path]) -> None:
        self.categories: dict[int, str] = {}
        """Names by id."""
        self.hashes: dict[str, str] = {}
        """SHA-256 of each file, by its name."""
        self.images: list[Photograph] = []
        """In the order of the first file, then those that later files add."""
        self._numbers: dict[int, int] = {}
        self._captions: dict[int, tuple[str, ...]] = {}
        self._files = [(kind, CocoJson(path)) for kind, path in files.items()]
        self._group([self._read(kind, file) for kind, file in self._files])

    def annotations(self, image: int) -> Iterator[Annotation]:
        """Yield the objects of image number `image`."""
        rows = slice(self._first[image], self._first[image + 1])
        columns = (self._category, self._box, self._crowd, self._file)
        for row, (category, box, crowd, file) in enumerate(
            zip(*(column[rows].tolist() for column in columns), strict=True), rows.start
        ):
            yield Annotation(row, category, tuple(box), crowd, self._files[file][0] == "stuff")

    def captions(self, image: int) -> tuple[str, ...]:
        """Return the captions of image number `image` in the order of the file, without blanks at either end."""
        return self._captions.get(image, ())

    def segmentation(self, row: int) -> Any:
        """Return what the file says of the pixels of an object."""
        return self._files[self._file[row]][1].at(int(self._start[row]), int(self._length[row]))["segmentation"]

    def place(self, row: int) -> str:
        """Return the name of the file that has an object, and where."""
        return f"{self._files[self._file[row]][1].path.name}, byte {self._start[row]}"

    def forget(self, kept: Iterable[int]) -> None:
        """Drop the objects and captions of all images but these; numbers and rows of images that stay may change."""
        stay = np.zeros(len(self.images), dtype=bool)
        stay[list(kept)] = True
        counts = np.diff(self._first)
        rows = np.repeat(stay, counts)
        self._take(rows, np.where(stay, counts, 0))
        self._captions = {image: said for image, said in self._captions.items() if stay[image]}

    def _read(self, kind: str, file: CocoJson) -> "_Columns":
        columns = _Columns()
        captions: dict[int, list[str]] = {}
        for record in file.records():
            try:
                match record.key:
                    case "images":
                        self._add(record.value)
                    case "categories" if kind != "captions":
                        self.categories[record.value["id"]] = record.value["name"]
                    case "annotations" if kind == "captions":
                        captions.setdefault(record.value["image_id"], []).append(record.value["caption"].strip())
                    case "annotations":
                        columns.append(record)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise FridoError(
                    f"{file.path}, {record.key} at byte {record.start}",
                    got=f"{type(error).__name__}: {error}",
                    wanted=f"a record of COCO's {kind}",
                    do="fetch the file again",
                ) from None
        self.hashes[file.path.name] = file.sha256
        self._captions |= {
            self._numbers[image]: tuple(said) for image, said in captions.items() if image in self._numbers
        }
        return columns

    def _add(self, image: dict[str, Any]) -> None:
        if min(image["width"], image["height"]) < 1:
            raise ValueError(f"an image of {image['width']} x {image['height']} pixels")
        if image["id"] not in self._numbers:
            self._numbers[image["id"]] = len(self.images)
            self.images.append(Photograph(image["id"], image["file_name"], image["width"], image["height"]))

    def _group(self, columns: Sequence["_Columns"]) -> None:
        """Make one table of all files, its rows together that are of one image."""
        image = [self._numbers.get(identifier, -1) for one in columns for identifier in one.image]
        number = np.array(image, dtype=np.int64)
        order = np.argsort(number, kind="stable")[np.count_nonzero(number < 0) :]  # without those of unknown images
        self._file = np.repeat(np.arange(len(columns), dtype=np.int8), [len(one.image) for one in columns])
        self._category = np.concatenate([np.array(one.category, np.int32) for one in columns])
        self._box = np.concatenate([np.array(one.box, np.float64).reshape(-1, 4) for one in columns])
        self._crowd = np.concatenate([np.array(one.crowd, bool) for one in columns])
        self._start = np.concatenate([np.array(one.start, np.int64) for one in columns])
        self._length = np.concatenate([np.array(one.length, np.int32) for one in columns])
        self._take(order, np.bincount(number[order], minlength=len(self.images)))

    def _take(self, rows: np.ndarray, counts: np.ndarray) -> None:
        """Keep these rows, of which the images have so many each."""
        for name in ("_file", "_category", "_box", "_crowd", "_start", "_length"):
            setattr(self, name, getattr(self, name)[rows])
        self._first = np.concatenate([[0], np.cumsum(counts)])


class _Columns:
    """The objects of one file, growing."""

    def __init__(self) -> None:
        self.image, self.category = array("q"), array("i")
        self.box, self.crowd = array("d"), array("b")
        self.start, self.length = array("q"), array("i")

    def append(self, record: Record) -> None:
        told = record.value
        left, top, width, height = told["bbox"]
        self.image.append(told["image_id"])
        self.category.append(told["category_id"])
        self.box.extend((left, top, width, height))
        self.crowd.append(told["iscrowd"])
        self.start.append(record.start)
        self.length.append(record.length)
