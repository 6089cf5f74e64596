"""What is known of the data before a run: all of it where it is there, sizes that stand for it where it is not."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import singledispatch
from pathlib import Path
from typing import Any, NamedTuple

from frido.cli.build import build
from frido.cli.rundir import stage_directory
from frido.contracts import tokenizer
from frido.contracts.errors import FridoError
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.dataset import Dataset
from frido.data.mixed import MixedData
from frido.data.mixture import together
from frido.data.packed import PackedData
from frido.data.procedural import ProceduralData
from frido.data.resampled import ResampledData
from frido.data.shards import SPEC
from frido.data.stores.at import is_remote
from frido.data.unindexed import locations

STAND_IN = {"categories": 180, "attributes": 100, "predicates": 46}
"""Words of a dataset that is not there; COCO and Visual Genome are of about these sizes."""
TOKENS = 8192
"""Of the tokenizer of such a dataset."""
LOOKED_AT = 128
"""Scenes whose captions are read where a dataset is yet to be rendered."""


class Known(NamedTuple):
    """Of the training images.

    `images` is their number, where known; `segmented` whether the source knows what each pixel belongs to; `note` says
    what was looked at or assumed.
    """

    vocabulary: Vocabulary
    images: int | None
    segmented: bool
    note: str


class Looked(NamedTuple):
    """The dataset of a configuration, what is known of it, and what is wrong with it."""

    dataset: Any
    known: Known
    problems: list[FridoError]


def look(config: Mapping[str, Any]) -> Looked:
    """Look at the dataset without making or fetching anything."""
    dataset = build(config["data"])
    try:
        return Looked(dataset, known(dataset, stage_directory(config, "data").resolve()), [])
    except FridoError as error:
        return Looked(dataset, stand_in("not there"), [error])


@singledispatch
def known(dataset: Dataset, cache: Path) -> Known:
    """Return what is known of a dataset; `cache` is where it would be made.

    Raises:
        FridoError: It is not there, and would not be made.
    """
    return stand_in("of a kind that is not looked at")


@known.register
def _(dataset: ProceduralData, cache: Path) -> Known:
    source, there = dataset.source, (cache / SPEC).is_file()
    segmented = bool(source.scene("train", 0).segmentation)
    note = f"{cache}" if there else f"to be rendered to {cache}"
    if there:
        return Known(dataset.rows(cache, "train").vocabulary, source.count("train"), segmented, note)
    some = range(min(LOOKED_AT, source.count("train")))
    captions = [caption for index in some for caption in source.scene("train", index).captions]
    words = tokenizer.train(captions, dataset.packing.tokenizer_size) if captions else ""
    return Known(replace(source.vocabulary, tokenizer=words), source.count("train"), segmented, note)


@known.register
def _(dataset: PackedData, cache: Path) -> Known:
    if is_remote(dataset.shards):
        return stand_in(f"at {dataset.shards}, which is not asked")
    root = dataset.found(cache)
    dataset.check(root)
    rows = dataset.rows(root, "train")
    return Known(rows.vocabulary, len(rows), bool(rows.scene(0).segmentation), str(root))


@known.register
def _(dataset: MixedData, cache: Path) -> Known:
    parts = [known(part, cache) for part in dataset.parts]
    counts = [part.images for part in parts]
    return Known(
        vocabulary=together([part.vocabulary for part in parts]),
        images=None if None in counts else sum(count for count in counts if count is not None),
        segmented=all(part.segmented for part in parts),
        note="; ".join(part.note for part in parts),
    )


@known.register
def _(dataset: ResampledData, cache: Path) -> Known:
    places = locations(dataset.shards)
    missing = [url for url in places["train"] if "://" not in url and not Path(url).is_file()]
    if missing:
        raise FridoError(
            f"data.shards={dataset.shards}",
            got=f"no file {missing[0]}",
            wanted="tars in WebDataset's form",
            do="data.shards='DIR/{000..099}.tar' or a URL of that form",
        )
    return stand_in(f"{len(places['train'])} tars without an index, not read")


def stand_in(why: str) -> Known:
    """Return sizes in place of a dataset."""
    words = {kind: tuple(f"{kind} {number}" for number in range(count)) for kind, count in STAND_IN.items()}
    sizes = ", ".join(f"{count} {kind}" for kind, count in STAND_IN.items())
    texts = (f"{number:x}{number * 2654435761 % 2**32:08x}" for number in range(4 * TOKENS))  # enough pairs of bytes
    vocabulary = Vocabulary(**words, tokenizer=tokenizer.train(texts, TOKENS))
    return Known(vocabulary, None, True, f"{why}; assumed: {sizes}, a tokenizer of {TOKENS} tokens")


def scenes(vocabulary: Vocabulary, count: int) -> Sequence[Scene]:
    """Return annotations of the kinds that the vocabulary has words for."""
    words = vocabulary.categories[:1]
    objects = tuple(Object(words[0], (0.0, 0.0, 1.0, 1.0)) for _ in range(2)) if words else ()
    told = (Relationship(0, vocabulary.predicates[0], 1),) if words and vocabulary.predicates else ()
    captions = ("A caption.",) if vocabulary.tokenizer else ()
    return [
        Scene(id=f"{number}", objects=objects, relationships=told, captions=captions, width=256, height=256)
        for number in range(count)
    ]
