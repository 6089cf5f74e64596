"""Visual Genome's JSON records, whatever their release: one shape for all of them.

All releases unpack to the same file names, so they are told apart by content: 1.0 says `id` where later ones say
`image_id` and `object_id`, and its attributes say `object_names`; 1.4 folds duplicates into one object
(`merged_object_ids`), and relationships may still name any of them. In 1.0 most ends of relationships have ids of
their own, found in no other file: there an object is known by its box and name as well.
"""

import json
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError

Key = int | tuple[int, int, int, int, str]

WHERE = "unpack Visual Genome's files into one folder and give it as source.root=DIR"


def load(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        FridoError: It is missing or no JSON.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise FridoError(str(path), got=error.strerror, wanted="a file of Visual Genome", do=WHERE) from None
    except ValueError as error:
        raise FridoError(str(path), got=f"no JSON: {error}", wanted="a whole file", do="unpack it again") from None


def by_image(path: Path, kind: str) -> dict[int, list[dict[str, Any]]]:
    """Return the list called `kind` of every record of a file, by image id."""
    records = load(path)
    try:
        return {record["image_id"] if "image_id" in record else record["id"]: record[kind] for record in records}
    except (KeyError, TypeError) as error:
        raise FridoError(
            str(path), got=f"a record without {error}", wanted=f"a list of records with image_id and {kind}", do=WHERE
        ) from None


def keys(record: dict[str, Any]) -> list[Key]:
    """Return what an object is known by: its id and those folded into it; in release 1.0 its places too."""
    if "object_id" in record:
        return [record["object_id"], *record.get("merged_object_ids", [])]
    return [record["id"], *((record["x"], record["y"], record["w"], record["h"], name) for name in names(record))]


def names(record: dict[str, Any]) -> list[str]:
    """Return the names of an object or of an end of a relationship, lower case, without blanks around."""
    for field in ("names", "object_names"):
        if field in record:
            return [word.strip().lower() for word in record[field]]
    return [record["name"].strip().lower()]


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
