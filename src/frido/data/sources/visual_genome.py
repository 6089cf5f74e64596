"""Visual Genome's files -> scenes, by the rules of sg2im (google/sg2im, `scripts/preprocess_vg.py`)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.sources import visual_genome_records as records
from frido.data.sources.base import SPLITS, Source
from frido.data.sources.visual_genome_records import Key

Found = dict[Key, tuple[str, dict[str, Any]]]
"""Kept objects of an image: name and record under every key that it is known by."""

FILTERS = {
    "images": (
        *("in splits", "not in image_data.json", "too small", "file missing"),
        *("too few objects", "too many objects", "too few relationships", "too many relationships", "kept"),
    ),
    "objects": ("in images", "no name in the vocabulary", "too small", "kept"),
    "relationships": ("in images", "an end was dropped", "predicate not in the vocabulary", "kept"),
}
"""What is counted on the way, in the order of the filters."""


class VisualGenome(Source):
    """Photographs with objects, attributes and relationships, filtered as sg2im does.

    Words are lower-cased, stripped and replaced by their canonical form. The vocabulary holds the object names,
    attributes (these without aliases) and predicates that occur often enough in training images; predicates are
    counted where both ends survived the object filter.

    Four quirks of sg2im are avoided knowingly: it normalises predicates of train images only, so that "ON" is
    lost in val and test; its loader may return one object too many; its attribute rows are aligned with other
    objects; and it does not follow the merged ids of release 1.4. The `__image__` object and its
    `__in_image__` triples are left to conditioners that want them. Words are ordered most common first.

    Args:
        root: Folder of the files.
        splits: JSON with lists of image ids under "train", "val" and "test"; `None` is `vg_splits.json` in `root`.
        min_object_instances: How often a name must occur in training images.
        min_attribute_instances: The same for attributes.
        min_relationship_instances: The same for predicates.
        min_image_side: Images with a shorter side below this are dropped, pixels.
        min_object_side: Objects whose box is narrower or lower are dropped, pixels.
        min_objects: Images with fewer (filtered) objects are dropped.
        max_objects: Images with more are dropped.
        min_relationships: Images with fewer relationships are dropped.
        max_relationships: Images with more are dropped.

    Raises:
        FridoError: A file is missing or is no file of Visual Genome.
    """

    def __init__(
        self,
        *,
        root: str,
        splits: str | None,
        min_object_instances: int,
        min_attribute_instances: int,
        min_relationship_instances: int,
        min_image_side: int,
        min_object_side: int,
        min_objects: int,
        max_objects: int,
        min_relationships: int,
        max_relationships: int,
    ) -> None:
        self.root = Path(root)
        self.thresholds: dict[str, Any] = {
            "min_object_instances": min_object_instances,
            "min_attribute_instances": min_attribute_instances,
            "min_relationship_instances": min_relationship_instances,
            "min_image_side": min_image_side,
            "min_object_side": min_object_side,
            "objects": [min_objects, max_objects],
            "relationships": [min_relationships, max_relationships],
        }
        self.dropped = {kind: dict.fromkeys(names, 0) for kind, names in FILTERS.items()}
        self._images = {image["image_id"]: image for image in records.load(self.root / "image_data.json")}
        ids = self._split_ids(Path(splits) if splits else self.root / "vg_splits.json")
        objects = records.by_image(self.root / "objects.json", "objects")
        aliases = records.load_aliases(self.root / "object_alias.txt")
        categories = _common(_canonical_names(objects, ids["train"], aliases), min_object_instances)
        every = [image for split in SPLITS for image in ids[split]]
        found = {image: self._objects(objects.get(image, []), aliases, categories) for image in every}

        attributes = self._attributes(every)
        adjectives = _common(
            (word for image in ids["train"] for _, words in attributes[image] for word in dict.fromkeys(words)),
            min_attribute_instances,
        )
        triples = self._triples(every, found)
        predicates = _common(
            (name for image in ids["train"] for _, name, _ in triples[image]), min_relationship_instances
        )
        self._vocabulary = Vocabulary(tuple(categories), tuple(adjectives), tuple(predicates))

        self.graphs: dict[int, tuple[int, int, bool]] = {}
        """Number of objects and relationships after filtering, and whether the image is kept, by image id."""
        self._scenes: dict[str, list[Scene]] = {
            split: list(self._kept(ids[split], found, attributes, triples)) for split in SPLITS
        }

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    def count(self, split: str) -> int:
        return len(self._scenes[split])

    def scene(self, split: str, index: int) -> Scene:
        scene = self._scenes[split][index]
        path = self._path(int(scene.id))
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FridoError(str(path), got=error.strerror, wanted="a readable image", do="fetch it again") from None
        fields = {name: getattr(scene, name) for name in ("id", "objects", "relationships", "width", "height")}
        return Scene(**fields, image=content)

    def settings(self) -> dict[str, Any]:
        return {"name": "visual_genome", **self.thresholds, "images": {split: self.count(split) for split in SPLITS}}

    def filters(self) -> dict[str, dict[str, int]]:
        return {kind: dict(counts) for kind, counts in self.dropped.items()}

    def _path(self, image: int) -> Path:
        return self.root.joinpath(*self._images[image]["url"].split("/")[-2:])

    def _split_ids(self, path: Path) -> dict[str, list[int]]:
        """Return the ids of each split that are large enough and whose file is there."""
        splits = records.load(path)
        if not isinstance(splits, dict) or not set(SPLITS) <= splits.keys():
            raise FridoError(
                str(path),
                got=f"keys {list(splits)[:5]}" if isinstance(splits, dict) else type(splits).__name__,
                wanted="lists of image ids under train, val and test",
                do="take sg2im/data/vg_splits.json of google/sg2im: source.splits=FILE",
            )
        return {split: [image for image in splits[split] if self._usable(image)] for split in SPLITS}

    def _usable(self, image: int) -> bool:
        known = self._images.get(image)
        count = self.dropped["images"]
        count["in splits"] += 1
        if known is None:
            count["not in image_data.json"] += 1
        elif min(known["width"], known["height"]) < self.thresholds["min_image_side"]:
            count["too small"] += 1
        elif not self._path(image).is_file():
            count["file missing"] += 1
        else:
            return True
        return False

    def _objects(self, raw: Sequence[dict[str, Any]], aliases: dict[str, str], categories: dict[str, int]) -> Found:
        """Return the kept objects of an image, their name and record under each of their keys."""
        found: Found = {}
        count = self.dropped["objects"]
        for record in raw:
            known = (aliases.get(name, name) for name in records.names(record))
            name = next((word for word in known if word in categories), None)
            count["in images"] += 1
            if name is None:
                count["no name in the vocabulary"] += 1
            elif min(record["w"], record["h"]) < self.thresholds["min_object_side"]:
                count["too small"] += 1
            else:
                count["kept"] += 1
                found |= dict.fromkeys(records.keys(record), (name, record))
        return found

    def _attributes(self, images: Iterable[int]) -> dict[int, list[tuple[list[Key], list[str]]]]:
        """Return the keys and attribute words of every object, by image."""
        raw = records.by_image(self.root / "attributes.json", "attributes")
        return {
            image: [
                (records.keys(record), [word.strip().lower() for word in record.get("attributes") or []])
                for record in raw.get(image, [])
            ]
            for image in images
        }

    def _triples(self, images: Iterable[int], found: dict[int, Found]) -> dict[int, list[tuple[Key, str, Key]]]:
        """Return (subject's key, predicate, object's) where both ends were kept."""
        raw = records.by_image(self.root / "relationships.json", "relationships")
        aliases = records.load_aliases(self.root / "relationship_alias.txt")
        count = self.dropped["relationships"]
        triples: dict[int, list[tuple[Key, str, Key]]] = {}
        for image in images:
            triples[image] = []
            for record in raw.get(image, []):
                ends = [
                    next((key for key in records.keys(record[end]) if key in found[image]), None)
                    for end in ("subject", "object")
                ]
                count["in images"] += 1
                if ends[0] is None or ends[1] is None:
                    count["an end was dropped"] += 1
                    continue
                predicate = record["predicate"].strip().lower()
                triples[image].append((ends[0], aliases.get(predicate, predicate), ends[1]))
        return triples

    def _kept(
        self,
        images: Iterable[int],
        found: dict[int, Found],
        attributes: dict[int, list[tuple[list[Key], list[str]]]],
        triples: dict[int, list[tuple[Key, str, Key]]],
    ) -> Iterable[Scene]:
        words = set(self._vocabulary.attributes), set(self._vocabulary.predicates)
        for image in images:
            width, height = self._images[image]["width"], self._images[image]["height"]
            adjectives: dict[int, list[str]] = {}  # by the identity of the object's record, as the next one
            for keys, said in attributes[image]:
                of = next((id(found[image][key][1]) for key in keys if key in found[image]), 0)
                adjectives.setdefault(of, []).extend(word for word in said if word in words[0])
            rows: dict[int, int] = {}
            objects: list[Object] = []
            for name, record in found[image].values():
                if id(record) not in rows:
                    rows[id(record)] = len(objects)
                    kept = tuple(dict.fromkeys(adjectives.get(id(record), [])))
                    objects.append(Object(name, _fractions(record, width, height), kept))
            number = {key: rows[id(record)] for key, (_, record) in found[image].items()}
            told = tuple(Relationship(number[s], name, number[o]) for s, name, o in triples[image] if name in words[1])
            self.dropped["relationships"]["predicate not in the vocabulary"] += len(triples[image]) - len(told)
            self.dropped["relationships"]["kept"] += len(told)
            if self._is_kept(image, len(objects), len(told)):
                yield Scene(str(image), tuple(objects), told, width=width, height=height)

    def _is_kept(self, image: int, objects: int, relationships: int) -> bool:
        verdict = "kept"
        for kind, number in (("objects", objects), ("relationships", relationships)):
            fewest, most = self.thresholds[kind]
            if not fewest <= number <= most:
                verdict = f"too few {kind}" if number < fewest else f"too many {kind}"
                break
        self.dropped["images"][verdict] += 1
        self.graphs[image] = (objects, relationships, verdict == "kept")
        return verdict == "kept"


def _common(words: Iterable[str], least: int) -> dict[str, int]:
    """Return the words that occur `least` times or more with their counts, most common first."""
    return {word: count for word, count in Counter(words).most_common() if count >= least}


def _canonical_names(
    objects: dict[int, list[dict[str, Any]]], images: Iterable[int], aliases: dict[str, str]
) -> Iterable[str]:
    for image in images:
        for record in objects.get(image, []):
            yield from sorted({aliases.get(name, name) for name in records.names(record)})


def _fractions(record: dict[str, Any], width: int, height: int) -> tuple[float, float, float, float]:
    left, right = (min(width, max(0, x)) / width for x in (record["x"], record["x"] + record["w"]))
    top, bottom = (min(height, max(0, y)) / height for y in (record["y"], record["y"] + record["h"]))
    return left, top, right, bottom
