"""Does a packed dataset still hold what was packed? Every byte is read again. No torch."""

import io
import json
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene, Vocabulary
from frido.data import index
from frido.data.images import opened
from frido.data.index import Member, Sample
from frido.data.packing import processes
from frido.data.packing.foreign import FOREIGN, refusal
from frido.data.packing.pack import digest
from frido.data.packing.processes import Advance
from frido.data.shards import SPEC, TOKENIZER, read_spec
from frido.data.upright import upright_size

PAGE = "stats.html"
"""What `stats` leaves in the folder, which `dataset.json` does not name."""


ONE_OF = {"categories": "category", "attributes": "attribute", "predicates": "predicate"}


class Problem(NamedTuple):
    """Something that is not as packed: in which file of the dataset, of which sample (where it is one's), and what."""

    file: str
    key: str
    reason: str


class Shared(NamedTuple):
    """What every shard is held against. The tars of others may hold more than the index names."""

    root: Path
    vocabulary: Vocabulary
    foreign: bool


def verify(root: Path, *, processes_: int, quiet: bool) -> list[Problem]:
    """Return all that is wrong with the dataset in the folder `root`: hashes, names, places, words, images.

    Raises:
        FridoError: There is no dataset.
    """
    spec = read_spec(root)
    problems = list(_whole(root, spec))
    entries = [entry for part in spec["splits"].values() for entry in part["shards"]]
    shared = Shared(root, Vocabulary.from_json(spec["vocabulary"]), spec["source"]["name"] == FOREIGN)
    total = sum(entry["scenes"] for entry in entries)
    with processes.bar("verifying", total, unit="scenes", done=0, quiet=quiet) as advance:
        found = processes.in_order(check, shared, entries, processes=processes_, advance=advance)
    ids: Counter[str] = Counter()
    for entry, (wrong, named) in zip(entries, found, strict=True):
        problems += wrong
        ids.update(named)
        problems += [
            Problem(entry["name"], name, "an id that another sample has too") for name in named if ids[name] > 1
        ]
    return problems


def check(shared: Shared, entry: dict[str, Any], advance: Advance) -> tuple[list[Problem], list[str]]:
    """Return what is wrong with one shard, and the ids of its scenes."""
    name, path = entry["name"], shared.root / entry["name"]
    try:
        with path.open("rb") as tar:
            problems = [Problem(name, "", reason) for reason in _file(path, entry)]
            samples = _samples(path, entry)
            if isinstance(samples, str):
                return [*problems, Problem(name, "", samples)], []
            problems += [Problem(name, *told) for told in _listing(path, samples, shared.foreign)]
            ids = []
            for sample in samples:
                told, reasons = _sample(tar, sample, shared)
                problems += [Problem(name, sample.key, reason) for reason in reasons]
                ids += [told] if told else []
                advance(1)
    except OSError as error:
        return [Problem(name, "", error.strerror or str(error))], []
    return problems, ids


def _whole(root: Path, spec: dict[str, Any]) -> Iterator[Problem]:
    if digest(spec) != spec["hash"]:
        yield Problem(SPEC, "", "its content is not that of its hash")
    for split, part in spec["splits"].items():
        if part["scenes"] != sum(entry["scenes"] for entry in part["shards"]):
            yield Problem(SPEC, "", f"the number of {split} scenes is not that of its shards")
    if spec["source"]["name"] != FOREIGN:  # the tars of others may lie among other files
        for name in sorted({path.name for path in root.iterdir()} - _known(spec)):
            yield Problem(name, "", f"in the folder and not in {SPEC}")
    if spec["tokenizer"] is not None:
        try:
            if sha256(root / TOKENIZER) != spec["tokenizer"]:
                yield Problem(TOKENIZER, "", "another SHA-256 than packed")
        except OSError as error:
            yield Problem(TOKENIZER, "", error.strerror or str(error))


def _known(spec: dict[str, Any]) -> set[str]:
    """Return the files that may lie in the folder of a dataset."""
    tars = [Path(entry["name"]) for part in spec["splits"].values() for entry in part["shards"]]
    return {SPEC, PAGE, *(file.name for tar in tars for file in (tar, index.index_path(tar)))} | (
        {TOKENIZER} if spec["tokenizer"] is not None else set()
    )


def _file(path: Path, entry: dict[str, Any]) -> Iterator[str]:
    if path.stat().st_size != entry["bytes"]:
        yield f"{path.stat().st_size} bytes, packed {entry['bytes']}"
    found = sha256(path)
    if found != entry["sha256"]:
        yield f"SHA-256 {found[:12]}, packed {entry['sha256'][:12]}"


def _samples(path: Path, entry: dict[str, Any]) -> list[Sample] | str:
    """Return what the index says, or why it says nothing."""
    beside = index.index_path(path)
    try:
        samples = index.parse(beside.read_bytes(), where=beside.name, digest=entry["index_sha256"])
    except OSError as error:
        return f"{beside.name}: {error.strerror}"
    except FridoError as error:
        return f"{beside.name}: {error.got}, packed {error.wanted}"
    return samples if len(samples) == entry["scenes"] else f"{len(samples)} samples, packed {entry['scenes']}"


def _listing(path: Path, samples: list[Sample], foreign: bool) -> Iterator[tuple[str, str]]:
    """Yield where the tar's own list of its files differs from the index: a key, and how."""
    told = {f"{sample.key}.{file.extension}": (sample.key, file) for sample in samples for file in sample.members}
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                reason = refusal(info)
                key, file = told.pop(info.name, ("", None))
                if reason:
                    yield key, reason
                elif file is None:
                    if not foreign:
                        yield "", f"{info.name}: in the tar and not in the index"
                elif (info.offset_data, info.size) != (file.offset, file.length):
                    yield key, f"{info.name}: at byte {info.offset_data}, in the index at {file.offset}"
    except (tarfile.TarError, EOFError) as error:
        yield "", f"the tar cannot be read: {error}"
    for name, (key, _) in told.items():
        yield key, f"{name}: in the index and not in the tar"


def _sample(tar: BinaryIO, sample: Sample, shared: Shared) -> tuple[str, list[str]]:
    """Return the id of a sample's scene (empty where it has none) and what is wrong with it."""
    files: dict[Member, bytes] = {}
    for member in sample.members:
        tar.seek(member.offset)
        files[member] = tar.read(member.length)
        if len(files[member]) != member.length or zlib.crc32(files[member]) != member.crc:
            return "", [f"{sample.key}.{member.extension}: other bytes than packed"]
    try:
        told = json.loads(files[sample.scene]) if isinstance(sample.scene, Member) else sample.scene
        scene = Scene.from_json(told)
    except (ValueError, KeyError, TypeError) as error:
        return "", [f"no scene: {type(error).__name__}: {error}"]
    reasons = list(_misfits(scene, shared.vocabulary))
    if not shared.foreign and scene.id != sample.key:
        reasons.append(f"the scene of another image, {scene.id}")
    try:
        with opened(io.BytesIO(files[sample.image]), "image") as image:
            image.load()
            if upright_size(image) != (scene.width, scene.height):
                size = "{} x {}".format(*upright_size(image))
                reasons.append(f"an image of {size} pixels, annotated {scene.width} x {scene.height}")
        if sample.segmentation:
            with opened(io.BytesIO(files[sample.segmentation]), "segmentation") as map_:
                if map_.size != (scene.width, scene.height):
                    reasons.append("a segmentation of another size than the image's")
                high = int(np.asarray(map_).max())
                if high > len(shared.vocabulary.categories):
                    reasons.append(f"a segmentation of category {high - 1}, which is no word")
    except FridoError as error:
        reasons.append(f"{error.what}: {error.got}")
    return scene.id, reasons


def _misfits(scene: Scene, vocabulary: Vocabulary) -> Iterator[str]:
    for kind, used in scene.words().items():
        for word in sorted(set(used).difference(getattr(vocabulary, kind))):
            yield f"unknown {ONE_OF[kind]} {word!r}"
    for item in scene.objects:
        left, top, right, bottom = item.box
        if not (0 <= left <= right <= 1 and 0 <= top <= bottom <= 1):
            yield f"box {item.box} of {item.category!r}"
    for told in scene.relationships:
        if not {told.subject, told.object} <= set(range(len(scene.objects))):
            yield f"a relationship between objects {told.subject} and {told.object} of {len(scene.objects)}"


def described(problems: list[Problem]) -> Iterator[str]:
    """Yield a line for each problem."""
    for problem in problems:
        yield f"{problem.file}{f', key {problem.key}' if problem.key else ''}: {problem.reason}"
