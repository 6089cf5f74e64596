"""COCO's large JSON files, read record by record: a file of a gigabyte never lies in memory as objects."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from frido.contracts.errors import FridoError

CHUNK = 2**22
"""Bytes read at once."""

LONGEST = 2**26
"""Bytes of the longest record that is waited for; the published ones are a thousandth of it."""

_BLANK = re.compile(r"[ \t\r\n]*")


class Record(NamedTuple):
    """An element of one of the top-level lists, or a whole top-level value that is no list.

    Args:
        key: Of the list or value.
        value: As Python's `json` reads it.
        start: Its first byte in the file.
        length: In bytes.
    """

    key: str
    value: Any
    start: int
    length: int


class CocoJson:
    """A JSON object of lists, as all of COCO's annotation files are; the order of its keys does not matter.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sha256 = ""
        """Of the file; known when `records` has come to its end."""

    def records(self) -> Iterator[Record]:
        """Yield every element of every top-level list, and the other values whole, in the order of the file.

        Raises:
            FridoError: The file cannot be read, or is no JSON object.
        """
        try:
            yield from self._records()
        except OSError as error:
            raise FridoError(
                str(self.path), got=error.strerror, wanted="an annotation file of COCO", do="fetch it again"
            ) from None
        except ValueError as error:
            raise FridoError(
                str(self.path), got=f"no JSON: {error}", wanted="a whole file", do="unpack it again"
            ) from None

    def at(self, start: int, length: int) -> Any:
        """Return one element again by its place."""
        with self.path.open("rb") as file:
            file.seek(start)
            return json.loads(file.read(length))

    def _records(self) -> Iterator[Record]:
        window = _Window(self.path)
        try:
            window.expect("{")
            while not window.found("}"):
                key = window.value().value
                window.expect(":")
                if window.found("["):
                    while not window.found("]"):
                        yield window.value()._replace(key=key)
                        window.found(",")
                else:
                    yield window.value()._replace(key=key)
                window.found(",")
            self.sha256 = window.finish()
        finally:
            window.file.close()


class _Window:
    """A part of a file as text in which every character is a byte (Latin-1), so that places are places in the file."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")
        self.hash = hashlib.sha256()
        self.decode = json.JSONDecoder().raw_decode
        self.text, self.place, self.start = "", 0, 0

    def more(self) -> bool:
        """Drop what is read and append a chunk; tell whether there was one."""
        chunk = self.file.read(CHUNK)
        self.hash.update(chunk)
        self.start += self.place
        self.text, self.place = self.text[self.place :] + chunk.decode("latin-1"), 0
        return bool(chunk)

    def found(self, character: str) -> bool:
        """Tell whether `character` is next, blanks aside; step over it."""
        while True:
            match = _BLANK.match(self.text, self.place)
            assert match is not None, "it matches nothing, too"
            self.place = match.end()
            if self.place < len(self.text):
                break
            if not self.more():
                raise ValueError("the file ends too early")
        if self.text[self.place] != character:
            return False
        self.place += 1
        return True

    def expect(self, character: str) -> None:
        if not self.found(character):
            raise ValueError(f"{self.text[self.place]!r} instead of {character!r} at byte {self.start + self.place}")

    def value(self) -> Record:
        """Step over the next value and return it."""
        self.found("")  # steps over blanks
        while True:
            try:
                value, end = self.decode(self.text, self.place)
            except ValueError:
                if len(self.text) - self.place > LONGEST or not self.more():
                    raise
                continue
            if end == len(self.text) and self.more():
                continue  # a number may go on
            break
        piece, start = self.text[self.place : end], self.start + self.place
        self.place = end
        if not piece.isascii():
            value = json.loads(piece.encode("latin-1"))
        return Record("", value, start, len(piece))

    def finish(self) -> str:
        while self.more():
            self.place = len(self.text)
        return self.hash.hexdigest()
