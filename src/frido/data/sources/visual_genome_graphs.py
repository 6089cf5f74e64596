"""Visual Genome's files -> one small text for each image, with every end of a relationship found.

The whole dataset is 3.8 million objects: as Python objects they would fill many gigabytes, as text a third of one.
"""

import json
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from frido.data.sources import visual_genome_records as records
from frido.data.sources.visual_genome_records import Key, Record

Thing = tuple[int, int, int, int, list[str], list[str]]
"""An object: its box (left, top, width, height) in pixels, its names and its attributes."""


class Graph(NamedTuple):
    """What the files say of an image: objects, relationships (subject's row, predicate, object's row), phrases."""

    things: list[Thing]
    relationships: list[tuple[int, str, int]]
    phrases: list[str]


class Aliases(NamedTuple):
    """Canonical word by alias, of objects and of predicates."""

    objects: dict[str, str]
    predicates: dict[str, str]


def unpack(text: bytes | None) -> Graph:
    """Return the graph of what `read` returned for an image; an empty one for an image that no file mentions."""
    return Graph(*json.loads(text)) if text else Graph([], [], [])


def read(root: Path, images: Container[int], *, phrases: bool) -> dict[int, bytes]:
    """Return the packed graphs of some images by id.

    Words are lower case, without blanks around, and canonical (attributes have no aliases). Objects and
    relationships without any word are left out, and so are relationships whose ends no object resolves.
    Where objects.json or relationships.json is not there, scene_graphs.json stands for them and attributes.json;
    without attributes.json objects have none.

    Args:
        root: Folder of the files.
        images: Ids of those wanted.
        phrases: Whether the descriptions of an image's regions are read, too.

    Raises:
        FridoError: A file is missing or is no file of Visual Genome.
    """
    aliases = Aliases(*(records.load_aliases(root / f"{kind}_alias.txt") for kind in ("object", "relationship")))
    texts = _phrases(root / "region_descriptions.json", images) if phrases else {}
    single = root / "scene_graphs.json"
    apart = [root / f"{kind}.json" for kind in ("objects", "relationships")]
    if single.is_file() and not all(path.is_file() for path in apart):
        return _from_one(single, images, aliases, texts)
    return _from_three(root, images, aliases, texts)


def _from_three(root: Path, images: Container[int], aliases: Aliases, texts: dict[int, list[str]]) -> dict[int, bytes]:
    told: dict[int, bytes] = {}
    path = root / "relationships.json"
    with records.fields(path, "subject, predicate and object"):
        for image, raw in records.by_image(path, "relationships"):
            if image in images:
                ends = [(records.keys(r["subject"]), r["predicate"], records.keys(r["object"])) for r in raw]
                told[image] = json.dumps(ends).encode()
    said: dict[int, bytes] = {}
    path = root / "attributes.json"
    if path.is_file():
        with records.fields(path, "object_id and attributes"):
            for image, raw in records.by_image(path, "attributes"):
                if image in images:
                    words = [(records.keys(r), r["attributes"]) for r in raw if r.get("attributes")]
                    said[image] = json.dumps(words).encode()
    graphs: dict[int, bytes] = {}
    path = root / "objects.json"
    with records.fields(path, "object_id, names, x, y, w and h"):
        for image, raw in records.by_image(path, "objects"):
            if image in images:
                adjectives, triples = (json.loads(parts.pop(image, b"[]")) for parts in (said, told))
                graphs[image] = _packed(raw, adjectives, triples, texts.get(image, []), aliases)
    return graphs


def _from_one(path: Path, images: Container[int], aliases: Aliases, texts: dict[int, list[str]]) -> dict[int, bytes]:
    graphs: dict[int, bytes] = {}
    with records.fields(path, "image_id, objects and relationships"):
        for record in records.stream(path):
            image, raw = records.image_id(record), record["objects"]
            if image in images:
                adjectives = [(records.keys(item), item.get("attributes") or []) for item in raw]
                triples = [([t["subject_id"]], t["predicate"], [t["object_id"]]) for t in record["relationships"]]
                graphs[image] = _packed(raw, adjectives, triples, texts.get(image, []), aliases)
    return graphs


def _packed(
    raw: Iterable[Record],
    adjectives: Iterable[Sequence[Any]],
    triples: Iterable[Sequence[Any]],
    phrases: list[str],
    aliases: Aliases,
) -> bytes:
    """Return the packed graph of an image: attributes and ends of relationships find their objects by key.

    Args:
        raw: Objects.
        adjectives: (an object's keys, its attributes).
        triples: (the subject's keys, predicate, the object's keys).
        phrases: Of regions.
        aliases: Of all words.
    """
    known = [(record, names) for record in raw if (names := records.names(record))]
    things: list[Thing] = []
    rows: dict[Key, int] = {}
    for row, (record, names) in enumerate(known):
        canonical = dict.fromkeys(aliases.objects.get(name, name) for name in names)
        things.append((record["x"], record["y"], record["w"], record["h"], list(canonical), []))
        rows |= dict.fromkeys(records.keys(record)[1:], row)
    rows |= {records.keys(record)[0]: row for row, (record, _) in enumerate(known)}  # an own id before a folded one

    for keys, words in adjectives:
        at = _row(keys, rows)
        if at is not None:
            cleaned = (word.strip().lower() for word in words)
            things[at][5].extend(word for word in dict.fromkeys(cleaned) if word and word not in things[at][5])
    relationships: list[tuple[int, str, int]] = []
    for subject, predicate, item in triples:
        word, ends = predicate.strip().lower(), (_row(subject, rows), _row(item, rows))
        if word and ends[0] is not None and ends[1] is not None:
            relationships.append((ends[0], aliases.predicates.get(word, word), ends[1]))
    return json.dumps(Graph(things, relationships, phrases), separators=(",", ":")).encode()


def _row(keys: Iterable[Key], rows: dict[Key, int]) -> int | None:
    return next((rows[key] for key in keys if key in rows), None)


def _phrases(path: Path, images: Container[int]) -> dict[int, list[str]]:
    with records.fields(path, "phrase"):
        return {
            image: [text for region in regions if (text := region["phrase"].strip())]
            for image, regions in records.by_image(path, "regions")
            if image in images
        }
