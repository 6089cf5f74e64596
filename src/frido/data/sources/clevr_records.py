"""CLEVR's scenes in their JSON files, found once and read one by one."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError

WHERE = "unpack CLEVR into one folder (images/, scenes/), or give the generator's output folder: source.root=DIR"

_GAP = re.compile(r"[\s,]*")


class Place(NamedTuple):
    """Where a scene's JSON lies: the file below the root, and its bytes there."""

    file: str
    start: int
    end: int


def scenes_of(root: Path, name: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the scenes of a split, from whichever file of the release or of the generator holds them.

    These are `scenes/CLEVR_<name>_scenes.json` of the release; else, of the generator, `CLEVR_scenes.json` or else
    `scenes/*<number>.json` with one scene each, as far as these say that they belong to the split.

    Args:
        root: Folder of the files.
        name: That CLEVR gives the split.

    Raises:
        FridoError: A file is no JSON of CLEVR.
    """
    released = root / "scenes" / f"CLEVR_{name}_scenes.json"
    generated = root / "CLEVR_scenes.json"
    if released.is_file():
        yield from _scenes_in(root, released)
        return
    for path in [generated] if generated.is_file() else sorted((root / "scenes").glob("*[0-9].json")):
        for place, record in _scenes_in(root, path):
            if record.get("split") == name:
                yield place, record


def read(root: Path, place: Place) -> dict[str, Any]:
    """Return the scene that lies at a place."""
    with (root / place.file).open("rb") as file:
        file.seek(place.start)
        record: dict[str, Any] = json.loads(file.read(place.end - place.start))
    return record


def digest(root: Path, files: Iterable[str]) -> str:
    """Return one SHA-256 of all these files below the root, and of their names; each may be named often."""
    told = hashlib.sha256()
    for file in sorted(set(files)):
        told.update(f"{file} {sha256(root / file)}\n".encode())
    return told.hexdigest()


def _scenes_in(root: Path, path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    text = path.read_text(encoding="latin-1")  # a character for each byte, so that places in the text are the file's
    name = path.relative_to(root).as_posix()
    decoder = json.JSONDecoder()
    listed = re.search(r'"scenes"\s*:\s*\[', text)
    position = listed.end() if listed else 0
    try:
        while True:
            position = _skip(text, position)
            if (position == len(text) and not listed) or text[position : position + 1] == "]":
                return
            record, end = decoder.raw_decode(text, position)
            if "image_filename" not in record or "objects" not in record:
                raise FridoError(str(path), got=f"a record with {list(record)[:4]}", wanted="scenes of CLEVR", do=WHERE)
            yield Place(name, position, end), record
            position = end
    except ValueError as error:
        raise FridoError(str(path), got=f"no JSON: {error}", wanted="a whole file of scenes", do=WHERE) from None


def _skip(text: str, position: int) -> int:
    gap = _GAP.match(text, position)
    assert gap is not None, "the pattern matches nothing too"
    return gap.end()
