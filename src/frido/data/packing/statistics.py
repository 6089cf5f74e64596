"""What a packed dataset holds, counted. Annotations are read, images are not. No torch."""

import json
import os
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data import index
from frido.data.index import Member, Sample
from frido.data.packing import processes
from frido.data.packing.processes import Advance
from frido.data.shards import read_spec
from frido.data.sources.base import SPLITS

SIZES = 20
"""Steps of the histogram of box sizes."""


@dataclass(slots=True)
class Statistics:
    """Counts over scenes; those of parts add up.

    Args:
        scenes: Number of scenes by split.
        categories: Objects by category.
        attributes: Objects by attribute.
        predicates: Relationships by predicate.
        objects: Scenes by their number of objects.
        relationships: Scenes by their number of relationships.
        captions: Scenes by their number of captions.
        sizes: Objects by size: the root of their share of the image's area, in steps of 1 / `SIZES`.
        sides: Images by their shorter side, pixels.
    """

    scenes: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    attributes: Counter[str] = field(default_factory=Counter)
    predicates: Counter[str] = field(default_factory=Counter)
    objects: Counter[int] = field(default_factory=Counter)
    relationships: Counter[int] = field(default_factory=Counter)
    captions: Counter[int] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    sides: Counter[int] = field(default_factory=Counter)

    def add(self, other: "Statistics") -> None:
        """Add the counts of another part of the dataset."""
        for name in self.__slots__:
            getattr(self, name).update(getattr(other, name))


class Part(NamedTuple):
    """A shard to count."""

    split: str
    name: str
    index_sha256: str


def read(root: Path, *, processes_: int, quiet: bool) -> Statistics:
    """Return what the dataset in the folder `root` holds.

    Raises:
        FridoError: There is no dataset, or a part of it is not as packed.
    """
    held = read_spec(root)["splits"]
    entries = [(split, entry) for split in SPLITS if split in held for entry in held[split]["shards"]]
    parts = [Part(split, entry["name"], entry["index_sha256"]) for split, entry in entries]
    total = sum(told["scenes"] for told in held.values())
    with processes.bar("counting", total, unit="scenes", done=0, quiet=quiet) as advance:
        found = processes.in_order(counted, root, parts, processes=processes_, advance=advance)
    whole = Statistics()
    for part in found:  # in order, so that equal counts have one
        whole.add(part)
    return whole


def counted(root: Path, part: Part, advance: Advance) -> Statistics:
    """Return what one shard holds."""
    path, found = root / part.name, Statistics()
    beside = index.index_path(path)
    try:
        samples = index.parse(beside.read_bytes(), where=str(beside), digest=part.index_sha256)
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise _changed(root, str(error.filename), error.strerror or str(error)) from None
    try:
        for sample in samples:
            _count(found, part.split, Scene.from_json(_annotation(root, part.name, descriptor, sample)))
    finally:
        os.close(descriptor)
    advance(len(samples))
    return found


def _annotation(root: Path, name: str, descriptor: int, sample: Sample) -> dict[str, Any]:
    if not isinstance(sample.scene, Member):
        return sample.scene
    content = os.pread(descriptor, sample.scene.length, sample.scene.offset)
    if zlib.crc32(content) != sample.scene.crc:
        raise _changed(root, f"shard {name}, key {sample.key}", "other bytes than packed")
    told: dict[str, Any] = json.loads(content)
    return told


def _count(found: Statistics, split: str, scene: Scene) -> None:
    found.scenes[split] += 1
    for kind, used in scene.words().items():
        getattr(found, kind).update(used)
    found.objects[len(scene.objects)] += 1
    found.relationships[len(scene.relationships)] += 1
    found.captions[len(scene.captions)] += 1
    found.sides[min(scene.width, scene.height)] += 1
    for item in scene.objects:
        left, top, right, bottom = item.box
        share = max(0.0, right - left) * max(0.0, bottom - top)
        found.sizes[min(SIZES - 1, int(SIZES * share**0.5))] += 1


def _changed(root: Path, what: str, got: str) -> FridoError:
    do = f"python -m frido.pack verify {root} lists all that is wrong"
    return FridoError(what, got=got, wanted="the dataset as packed", do=do)
