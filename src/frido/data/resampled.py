"""A dataset of tars without an index: streamed, not exact."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from frido.contracts.batch import Batch
from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.contracts.scene import Scene, Vocabulary
from frido.data import unindexed
from frido.data.dataset import Dataset
from frido.data.loader import batch_of
from frido.data.packing.pack import Packing
from frido.data.preparation import Preparation, Row
from frido.data.reading import Reading
from frido.data.shards import SPEC, Shards
from frido.data.sources.listed import Listed
from frido.data.stores.pinned import folder_of


class ResampledData(Dataset):
    """Streams training samples with webdataset: in no known order, with replacement, and no two resumes alike.

    What must be known by row, held-out scenes and those that calibrate a first stage, is packed from the first
    samples, and anew when the tars are others or have other sizes; words that these samples do not hold are left out
    of all others. A tar that ends between two of its files, or in the head of one, is read as if it were whole.

    Args:
        shards: Folder with tars (those named `val...` are held out); or a pattern or URL that webdataset reads.
        held_out: Samples that are packed to evaluate on, the first of tars that are held out; where there are none, the
            first of all, which training then passes over. And as many again, of the others, to calibrate on.
        reading: Makes batches of the scenes.
        max_loss: Samples or tars that may turn out unreadable before a training stops.

    Raises:
        FridoError: From `prepare`: nothing can be read.
    """

    note = "trained on tars without an index, resampled by webdataset: not exact, a resume sees other samples"

    def __init__(self, *, shards: str, held_out: int, reading: Reading, max_loss: int) -> None:
        super().__init__(reading=reading, max_loss=max_loss)
        self.shards, self.held_out = shards, held_out

    @property
    def fixed(self) -> bool:
        return False

    def found(self, cache: Path) -> Path:
        """Return a folder in `cache` with what is packed, named by the tars and their sizes."""
        places = unindexed.locations(self.shards)
        tars = unindexed.sizes(places)
        root = folder_of(hashlib.sha256(json.dumps(tars).encode()).hexdigest(), cache)
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache.parent / f".{cache.name}.lock"):
            if not (root / SPEC).is_file():
                packing = Packing(
                    scenes_per_shard=512,
                    image_size=None,
                    image_format="keep",
                    quality=95,
                    image_node=False,
                    max_unreadable=0,
                    seed=0,
                    run=1,
                    block=16,
                    tokenizer_size=8192,
                    processes=1,
                )
                packing.write(self._first(places, tars), root)
        return root

    def rows(self, root: Path, split: str) -> Shards:
        return Shards.below(root, split)

    def stream(self, root: Path, *, batch: int, rank: int, world_size: int, seed: int) -> "ResampledStream":
        held, places = self.rows(root, "val"), unindexed.locations(self.shards)
        # other tars count their samples anew: equal ids are then those of other images
        shared = range(0) if places["val"] else range(len(held))
        return ResampledStream(
            places["train"],
            without=frozenset(held.scene(row).id for row in shared),
            vocabulary=held.vocabulary,
            preparation=self.reading.training,
            batch=batch,
            rank=rank,
            world_size=world_size,
            seed=seed,
        )

    def _first(self, places: Mapping[str, Sequence[str]], tars: Mapping[str, Any]) -> Listed:
        """Return the first samples, held out and others."""
        lost: list[Lost] = []

        def first(split: str, count: int) -> list[Scene]:
            scenes = (scene for _, scene in unindexed.once(places[split], lost.append))
            return list(itertools.islice(scenes, count))

        if places["val"]:
            held, others = first("val", self.held_out), first("train", self.held_out)
        else:
            found = first("train", 2 * self.held_out)
            held, others = found[: len(found) // 2], found[len(found) // 2 :]
        if not held or not others:
            got = lost[0].reason if lost else f"{len(held)} held-out samples, {len(others)} others"
            raise FridoError(f"data.shards={self.shards}", got=got, wanted="samples", do="look at the tars")
        settings = {"name": "webdataset, resampled: not exact", "tars": tars, "first": len(held) + len(others)}
        vocabulary = unindexed.words([*held, *others])
        return Listed(scenes={"val": held, "train": others}, vocabulary=vocabulary, settings=settings)


class ResampledStream:
    """A `Stream` that gives the next samples, wherever it is asked for: its state is not kept.

    Args:
        urls: Of tars.
        without: Ids of held-out samples, which it passes over.
        vocabulary: Words outside of it are left out.
        preparation: Of every scene.
        batch: Global batch size, over all ranks.
        rank: Of this process; each draws for itself.
        world_size: Number of ranks.
        seed: Of the order, with the rank and the position at which it begins.
    """

    def __init__(
        self,
        urls: list[str],
        *,
        without: frozenset[str],
        vocabulary: Vocabulary,
        preparation: Preparation,
        batch: int,
        rank: int,
        world_size: int,
        seed: int,
    ) -> None:
        self.urls, self.without, self.vocabulary, self.preparation = urls, without, vocabulary, preparation
        self.batch, self.rank, self.seed = batch, rank, seed
        self.per_rank = batch // world_size
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="webdataset")
        self._lost: list[Lost] = []
        self._scenes: Iterator[tuple[str, Scene]] | None = None
        self._next: Future[Batch] | None = None

    def at(self, images_seen: int) -> Batch:
        """Return the next samples of this rank, numbered from `images_seen`; prepare those after them."""
        if self._scenes is None:
            begin = int(np.random.SeedSequence([self.seed, self.rank, images_seen]).generate_state(1)[0])
            self._scenes = unindexed.resampled(self.urls, seed=begin, lost=self._lost.append)
            self._next = self._pool.submit(self._load, images_seen)
        assert self._next is not None
        found = self._next.result()
        self._next = self._pool.submit(self._load, images_seen + self.batch)
        return found

    def _load(self, images_seen: int) -> Batch:
        first = images_seen + self.rank * self.per_rank
        positions = range(first, first + self.per_rank)
        rows = [self._row(position) for position in positions]
        lost, self._lost[:] = tuple(self._lost), []
        return batch_of(rows, positions=torch.tensor(positions), lost=lost)

    def _row(self, position: int) -> Row:
        assert self._scenes is not None
        random = np.random.Generator(np.random.Philox(key=[self.seed & (2**64 - 1), position]))
        for key, scene in self._scenes:
            if scene.id in self.without:
                continue
            scene = unindexed.sayable(scene, self.vocabulary)
            try:
                return self.preparation.row(scene, self.vocabulary, random=random)
            except FridoError as error:
                self._lost.append(Lost("", key, f"{error.what}: {error.got}"))
        raise AssertionError("a stream without end ended")
