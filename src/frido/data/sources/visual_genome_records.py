"""Visual Genome's JSON records, whatever their release: one shape for all of them.

All releases unpack to the same file names, so they are told apart by content: 1.0 says `id` where later ones say
`image_id` and `object_id`, and its attributes say `object_names`; 1.4 folds duplicates into one object
(`merged_object_ids`), and relationships may still name any of them. In 1.0 most ends of relationships have ids of
their own, found in no other file: there an object is known by its box and name as well.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError

Key = int | str
Record = dict[str, Any]

WHERE = "unpack Visual Genome's files into one folder and give it as source.root=DIR"

CHUNK = 2**22
"""Characters read at once; the longest record of a published file is far shorter."""

_BETWEEN = re.compile(r"[\s,]*")


def load(path: Path) -> Any:
    """Return the content of a small JSON file.

    Raises:
        FridoError: It is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _missing(path, error) from None
    except ValueError as error:
        raise _broken(path, error) from None


def stream(path: Path) -> Iterator[Record]:
    """Yield the records of a file's list one by one, so that a file of a gigabyte never lies in memory as objects.

    Raises:
        FridoError: It is missing, no JSON, or no list.
    """
    decode = json.JSONDecoder().raw_decode
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(CHUNK).lstrip()
            if not text.startswith("["):
                raise FridoError(str(path), got=f"{text[:20]!r}", wanted="a list of records", do=WHERE)
            place = 1
            while True:
                match = _BETWEEN.match(text, place)
                assert match is not None, "it matches nothing, too"
                place = match.end()
                if text.startswith("]", place):
                    return
                try:
                    record, place = decode(text, place)
                except ValueError:
                    more = file.read(CHUNK)
                    if not more or len(text) - place > CHUNK:
                        raise
                    text, place = text[place:] + more, 0
                else:
                    yield record
    except OSError as error:
        raise _missing(path, error) from None
    except ValueError as error:
        raise _broken(path, error) from None


def by_image(path: Path, kind: str) -> Iterator[tuple[int, Any]]:
    """Yield the image id of every record of a file, and its `kind`.

    Raises:
        FridoError: As `stream`, or a record has no such field.
    """
    with fields(path, f"image_id and {kind}"):
        for record in stream(path):
            yield image_id(record), record[kind]


def image_id(record: Record) -> int:
    """Return the id of the image that a record is about."""
    identifier: int = record["image_id"] if "image_id" in record else record["id"]
    return identifier


@contextmanager
def fields(path: Path, wanted: str) -> Iterator[None]:
    """Turn what goes wrong inside with a file's records into an error that names the file."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        wanted = f"a list of records with {wanted}"
        raise FridoError(str(path), got=f"a record without {error}", wanted=wanted, do=WHERE) from None


def keys(record: Record) -> list[Key]:
    """Return what an object is known by: its id and those folded into it; in release 1.0 its places too."""
    if "object_id" in record:
        return [record["object_id"], *record.get("merged_object_ids", [])]
    place = f"{record['x']} {record['y']} {record['w']} {record['h']}"
    return [record["id"], *(f"{place} {name}" for name in names(record))]


def names(record: Record) -> list[str]:
    """Return the names of an object or of an end of a relationship, lower case, without blanks around."""
    for field in ("names", "object_names"):
        if field in record:
            return [name for word in record[field] if (name := word.strip().lower())]
    return [name] if (name := record["name"].strip().lower()) else []


def load_aliases(path: Path) -> dict[str, str]:
    """Return alias -> canonical word; a line's first word is canonical and later lines win, as in sg2im."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise FridoError(str(path), got=error.strerror, wanted="an alias file of Visual Genome", do=WHERE) from None
    aliases: dict[str, str] = {}
    for line in lines:
        words = [word.strip() for word in line.split(",")]
        aliases |= dict.fromkeys(words, words[0])
    return aliases


def _missing(path: Path, error: OSError) -> FridoError:
    return FridoError(str(path), got=error.strerror, wanted="a file of Visual Genome", do=WHERE)


def _broken(path: Path, error: ValueError) -> FridoError:
    return FridoError(str(path), got=f"no JSON: {error}", wanted="a whole file", do="unpack it again")
