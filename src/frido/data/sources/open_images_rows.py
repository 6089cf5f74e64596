"""Tables with a row for each box, read image by image: Open Images has 14.6 million boxes in one file of 2 GB."""

import csv
from array import array
from pathlib import Path
from typing import BinaryIO

import numpy as np

from frido.contracts.errors import FridoError

WHERE = "unpack the files of Open Images into one folder, images in train/, validation/, test/: source.root=DIR"


class RowsByImage:
    """Rows of a CSV file with a header, by their `ImageID`; read from the file whenever they are asked for.

    Only the places of an image's rows stay in memory and are pickled, about 50 bytes an image, and nothing of the
    rows. Rows of an image need not follow each other; they keep their order.

    Args:
        path: Of the file.
        columns: Whose values are wanted, by their names in the header, in any order there.

    Raises:
        FridoError: The file is missing, or has no such columns.
    """

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                header = next(csv.reader([file.readline().decode("utf-8-sig")]), [])
                self._columns = [_place(name, header, path) for name in columns]
                runs, ends = _runs(file, _place("ImageID", header, path))
        except OSError as error:
            raise FridoError(str(path), got=error.strerror, wanted="a table of Open Images", do=WHERE) from None
        self.images, image_of_run = np.unique(np.array(runs, dtype=np.bytes_), return_inverse=True)
        order = np.argsort(image_of_run, kind="stable")
        self._first = np.searchsorted(image_of_run[order], np.arange(len(self.images) + 1))
        self._places = np.stack([ends[:-1], ends[1:]], axis=1)[order]

    def number(self, image: str) -> int | None:
        """Return the place of an image in `images`, which are sorted; `None` where it has no rows."""
        place = int(np.searchsorted(self.images, image.encode()))
        return place if place < len(self.images) and self.images[place] == image.encode() else None

    def rows(self, number: int) -> list[list[str]]:
        """Return the rows of image `number`: the values of `columns`."""
        content = b""
        with self.path.open("rb", buffering=0) as file:
            for start, end in self._places[self._first[number] : self._first[number + 1]]:
                file.seek(start)
                content += file.read(end - start)
        return [[row[column] for column in self._columns] for row in csv.reader(content.decode().splitlines())]


def _place(name: str, header: list[str], path: Path) -> int:
    if name not in header:
        raise FridoError(str(path), got=f"columns {', '.join(header)}", wanted=f"a column {name}", do=WHERE)
    return header.index(name)


def _runs(file: BinaryIO, column: int) -> tuple[list[bytes], np.ndarray]:
    """Return the image of each run of neighbouring rows, and where runs begin, with the end of the last."""
    images: list[bytes] = []
    ends = array("q")
    place = file.tell()
    last = b""
    for line in file:
        image = line.split(b",", column + 1)[column] if line.strip() else last
        if image != last:
            images.append(image)
            ends.append(place)
            last = image
        place += len(line)
    ends.append(place)
    return images, np.array(ends)
