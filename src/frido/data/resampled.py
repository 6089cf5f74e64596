"""A dataset of tars without an index: streamed, not exact."""

import itertools
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

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


class ResampledData(Dataset):
    """Streams training samples with webdataset: in no known order, with replacement, and no two resumes alike.

    What must be known by row, held-out scenes and those that calibrate a first stage, is packed from the first
    samples; words that these do not hold are left out of all others. A tar that ends between two of its files, or in
    the head of one, is read as if it were whole.

    Args:
        shards: Folder with tars (those named `val...` are held out); or a pattern or URL that webdataset reads.
        held_out: Samples that are packed to evaluate on, and as many again to calibrate on.
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
        cache.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(cache.parent / f".{cache.name}.lock"):
            if not (cache / SPEC).is_file():
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
                packing.write(self._first(), cache)
        return cache

    def rows(self, root: Path, split: str) -> Shards:
        return Shards.below(root, split)

    def stream(self, root: Path, *, batch: int, rank: int, world_size: int, seed: int) -> "ResampledStream":
        held = self.rows(root, "val")
        return ResampledStream(
            unindexed.locations(self.shards)["train"],
            without=frozenset(held.scene(row).id for row in range(len(held))),
            vocabulary=held.vocabulary,
            preparation=self.reading.training,
            batch=batch,
            rank=rank,
            world_size=world_size,
            seed=seed,
        )

    def _first(self) -> Listed:
        """Return the first samples, held out and others."""
        places = unindexed.locations(self.shards)
        lost: list[Lost] = []
        scenes = (scene for _, scene in unindexed.once(places["val"] + places["train"], lost.append))
        found = list(itertools.islice(scenes, 2 * self.held_out))
        if len(found) < 2:
            got = lost[0].reason if lost else f"{len(found)} samples"
            raise FridoError(f"data.shards={self.shards}", got=got, wanted="samples", do="look at the tars")
        half = len(found) // 2
        by_split = {"val": found[:half], "train": found[half:]}
        settings = {"name": "webdataset, resampled: not exact", "shards": self.shards, "first": len(found)}
        return Listed(scenes=by_split, vocabulary=unindexed.words(found), settings=settings)


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
                return self.preparation.row(scene, self.vocabulary, random=random, where=f"sample {key}")
            except FridoError as error:
                self._lost.append(Lost("", key, f"{error.what}: {error.got}"))
        raise AssertionError("a stream without end ended")
