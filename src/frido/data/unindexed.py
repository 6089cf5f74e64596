"""Tars without an index, read from front to back by webdataset."""

import contextlib
import random
import tarfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.contracts.scene import KINDS, Scene, Vocabulary
from frido.data.filters.base import with_objects
from frido.data.packing.foreign import refusal, scene_of
from frido.data.packing.indexing import split_of

SHUFFLED = 1000
"""Samples among which the next one is drawn."""

PATIENCE = 100
"""Errors on end after which there is no use in going on."""

Found = Callable[[Lost], None]


def locations(shards: str) -> dict[str, list[str]]:
    """Return the tars of "train" and, where a folder has some, of "val": what a folder holds, or what a pattern means.

    Raises:
        FridoError: A folder without tars.
    """
    folder = Path(shards)
    if not folder.is_dir():
        from webdataset.shardlists import expand_urls

        return {"train": expand_urls(shards), "val": []}
    tars = sorted(folder.glob("*.tar"))
    found = {split: [str(tar) for tar in tars if split_of(tar.name) == split] for split in ("train", "val")}
    if not found["train"]:
        do = "data.shards='DIR/{000..099}.tar' or a URL of that form"
        raise FridoError(f"data.shards={shards}", got="no training *.tar", wanted="tars in WebDataset's form", do=do)
    return found


def sizes(places: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int | None]]:
    """Return the bytes of the tars of each split; `None` of what is no file of this machine."""
    return {split: {url: _size(url) for url in urls} for split, urls in places.items()}


def _size(url: str) -> int | None:
    with contextlib.suppress(OSError):
        return Path(url).stat().st_size
    return None


def once(urls: Sequence[str], lost: Found) -> Iterator[tuple[str, Scene]]:
    """Yield every sample of some tars in their order, with its key."""
    from webdataset.shardlists import SimpleShardList

    return _scenes(SimpleShardList(list(urls)), lost)


def resampled(urls: Sequence[str], *, seed: int, lost: Found) -> Iterator[tuple[str, Scene]]:
    """Yield samples without end: tars are drawn with replacement, and samples mixed within a buffer."""
    from webdataset import shuffle
    from webdataset.shardlists import ResampledShards

    drawn = ResampledShards(list(urls), deterministic=True, seed=seed, worker_seed=lambda: 0)
    return shuffle(SHUFFLED, initial=SHUFFLED, rng=random.Random(seed))(_scenes(drawn, lost))


def _scenes(urls: Iterable[dict[str, Any]], lost: Found) -> Iterator[tuple[str, Scene]]:
    from webdataset.tariterators import base_plus_ext, group_by_keys, tar_file_expander, url_opener

    failed, reading = 0, ""

    def note(one: Lost) -> None:
        nonlocal failed
        failed += 1
        lost(one)
        if failed == PATIENCE:
            got, wanted = f"{PATIENCE} errors on end, at last {one.reason}", "samples that can be read"
            raise FridoError(one.shard, got=got, wanted=wanted, do="look whether the tars are there, and whole")

    def handler(error: Exception) -> bool:
        if isinstance(error, FridoError):  # of `note`
            raise error
        named = str(error.args[-1]) if len(error.args) > 1 else ""  # webdataset adds the tar to some errors
        said = str(error.args[0] if error.args else error).partition(" @ ")[0]
        note(Lost(named or reading, "", f"{type(error).__name__}: {said}"))
        return True

    def closing(opened: Iterable[dict[str, Any]]) -> Generator[dict[str, Any]]:
        """Yield opened tars and close each when the next is asked for, which webdataset leaves to chance."""
        nonlocal reading
        for tar in opened:
            reading = tar["url"]
            try:
                yield tar
            finally:
                tar["stream"].close()

    def trusted(files: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Pass over files whose names lead out of the archive, of which each sample counts once."""
        refused = ""
        for file in files:
            reason = refusal(tarfile.TarInfo(file["fname"])) if file else ""  # an empty one ends a tar
            if not reason:
                yield file
                continue
            key = base_plus_ext(file["fname"])[0] or file["fname"]
            if key != refused:
                note(Lost(file["__url__"], key, reason))
            refused = key

    tars = closing(url_opener(urls, handler=handler))
    files = tar_file_expander(tars, handler=handler)
    try:
        for sample in group_by_keys(trusted(files), handler=handler):
            key = sample["__key__"]
            try:
                scene = scene_of(key, {name: part for name, part in sample.items() if not name.startswith("__")})
            except FridoError as error:
                note(Lost(sample["__url__"], key, f"{error.what}: {error.got}"))
                continue
            failed = 0
            yield key, scene
    finally:
        tars.close()


def sayable(scene: Scene, vocabulary: Vocabulary) -> Scene:
    """Return a scene without what a vocabulary, that was made from a part of the samples, has no word for."""
    attributes, predicates = set(vocabulary.attributes), set(vocabulary.predicates)
    kept = [
        (number, replace(item, attributes=tuple(word for word in item.attributes if word in attributes)))
        for number, item in enumerate(scene.objects)
        if item.category in vocabulary.categories
    ]
    scene = with_objects(scene, kept)
    told = tuple(told for told in scene.relationships if told.predicate in predicates)
    return replace(scene, relationships=told)


def words(scenes: Sequence[Scene]) -> Vocabulary:
    """Return the words of some scenes, sorted."""
    told = [scene.words() for scene in scenes]
    categories, attributes, predicates = (
        tuple(sorted({word for used in told for word in used[kind]})) for kind in KINDS
    )
    return Vocabulary(categories, attributes, predicates)
