"""Tars that others wrote become a dataset: an index beside each, and `dataset.json`. No torch."""

import json
import os
import re
from pathlib import Path
from typing import Any

from frido.contracts import atomic, tokenizer
from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError
from frido.contracts.scene import KINDS, Scene, Vocabulary
from frido.data.index import SEGMENTATION, Member, Sample
from frido.data.packing import foreign, processes
from frido.data.packing.pack import Packing, finished
from frido.data.packing.processes import Advance
from frido.data.packing.shard import check_unreadable, indexed, unreadable_image
from frido.data.shards import SPEC, TOKENIZER, read_spec
from frido.data.sources.base import SPLITS


def write(packing: Packing, root: Path, *, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Make a dataset of the tars in the folder `root`, which stay as they are; return its `dataset.json`.

    A tar whose name starts with `train`, `val` or `test` belongs to that split, every other to train. The words are
    those that occur. Of `packing` count the order's constants, the tokenizer's size, `max_unreadable`, `processes`.

    Raises:
        FridoError: There are no tars, or they are refused (see `foreign`); or there is a dataset already (one that was
            made so: unless `overwrite`).
    """
    _check_room(root, overwrite)
    tars = sorted(root.glob("*.tar"))
    if not tars:
        raise FridoError(str(root), got="no *.tar", wanted="tars in WebDataset's form", do="give their folder")
    with processes.bar("indexing", len(tars), unit="shards", done=0, quiet=quiet) as advance:
        parts = processes.in_order(check, None, tars, processes=packing.processes, advance=advance)
    check_unreadable([image for part in parts for image in part["unreadable"]], packing.max_unreadable)
    _check_ids(parts)
    captions = [caption for part in parts for caption in part["captions"]]
    digest = None
    if captions:
        atomic.write_text(root / TOKENIZER, tokenizer.train(captions, packing.tokenizer_size))
        digest = sha256(root / TOKENIZER)
    held = {split: [p["entry"] for p in parts if p["split"] == split and p["entry"]["scenes"]] for split in SPLITS}
    if not any(held.values()):
        raise FridoError(str(root), got="tars without a sample", wanted="samples", do="add a tar that holds some")
    spec = finished(
        {
            "source": {"name": foreign.FOREIGN},
            "packing": {"tokenizer_size": packing.tokenizer_size},
            "order": {"run": packing.run, "block": packing.block},
            "licence": "not known: the tars do not say",
            "origin": "WebDataset tars written by other programs",
            "images": "as they are in the tars",
            "splits": {
                split: {"scenes": sum(entry["scenes"] for entry in entries), "shards": entries}
                for split, entries in held.items()
                if entries
            },
            "vocabulary": _vocabulary(parts).to_json(),
            "tokenizer": digest,
            "filters": {},
            "unreadable": [image for part in parts for image in part["unreadable"]],
        }
    )
    atomic.write_json(root / SPEC, spec)
    return spec


def check(_: None, tar: Path, advance: Advance) -> dict[str, Any]:
    """Write the index of one tar; return what `dataset.json` needs of it."""
    split = split_of(tar.name)
    samples: list[Sample] = []
    ids: list[str] = []
    captions: list[str] = []
    unreadable: list[dict[str, Any]] = []
    words: dict[str, set[str]] = {kind: set() for kind in KINDS}
    descriptor = os.open(tar, os.O_RDONLY)
    try:
        for number, (key, files) in enumerate(foreign.samples(tar)):
            contents = {name: os.pread(descriptor, file.length, file.offset) for name, file in files.items()}
            try:
                scene = foreign.scene_of(key, contents)
            except FridoError as error:
                unreadable.append(unreadable_image(split, number, f"{tar.name}, {error.what}", str(error.got)))
                continue
            samples.append(_sample(key, scene, files, contents))
            ids.append(scene.id)
            captions += scene.captions if split == "train" else ()
            for kind, used in scene.words().items():
                words[kind].update(used)
    finally:
        os.close(descriptor)
    entry = indexed(tar, samples)
    advance(1)
    told = {kind: sorted(found) for kind, found in words.items()}
    return {"split": split, "entry": entry, "ids": ids, "captions": captions, "unreadable": unreadable, "words": told}


def split_of(name: str) -> str:
    """Return the split of a tar by its name."""
    match = re.match(r"(train|val|test)(?:id|idation|ing)?(?![a-z])", name.lower())
    return match[1] if match else "train"


def _sample(key: str, scene: Scene, files: dict[str, Member], contents: dict[str, bytes]) -> Sample:
    """Return a row of the index; the scene stands in it where the tar does not hold it in our form."""
    image, told = files[foreign.image_of(key, files)], scene.to_json()
    if "json" in files and json.loads(contents["json"]) == json.loads(json.dumps(told)):
        return Sample(key, image, files["json"], files.get(SEGMENTATION))
    return Sample(key, image, told, files.get(SEGMENTATION))


def _vocabulary(parts: list[dict[str, Any]]) -> Vocabulary:
    """Return all words, sorted; classes that are numbers are 0 to the highest, so that a word's index is its number."""
    categories, attributes, predicates = (
        sorted({word for part in parts for word in part["words"][kind]}) for kind in KINDS
    )
    if categories and all(word.isdecimal() for word in categories):
        categories = [str(number) for number in range(max(map(int, categories)) + 1)]
    return Vocabulary(tuple(categories), tuple(attributes), tuple(predicates))


def _check_room(root: Path, overwrite: bool) -> None:
    if not (root / SPEC).exists():
        return
    if read_spec(root)["source"]["name"] != foreign.FOREIGN:
        do = f"python -m frido.pack verify {root} says whether it is whole"
        raise FridoError(str(root), got="a dataset that frido.pack packed", wanted="tars without an index", do=do)
    if not overwrite:
        raise FridoError(str(root), got="tars that are indexed already", wanted="a new folder", do="add --overwrite")


def _check_ids(parts: list[dict[str, Any]]) -> None:
    homes: dict[str, str] = {}
    for part in parts:
        name = part["entry"]["name"]
        for identity in part["ids"]:
            if identity in homes:
                got = f"{identity} in {homes[identity]} and in {name}"
                raise FridoError("keys of samples", got=got, wanted="each once in a dataset", do="write them again")
            homes[identity] = name
