"""Packed scenes -> the stream of batches."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from frido.contracts.batch import Annotations, Batch
from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.contracts.philox import generator
from frido.contracts.scene import Scene
from frido.data.collate import to_float
from frido.data.index import AGAIN
from frido.data.preparation import Preparation, Row
from frido.data.rows import Positions, Rows

TRIES = 100
"""Substitutes that are tried for a sample that cannot be read."""

Found = tuple[Row, tuple[Lost, ...]]
"""A row, and what could not be read before it: none, unless it is a substitute."""


class Loader:
    """A `Stream` of images: `at(images_seen)` is this rank's part of the global batch that starts there.

    A sample that cannot be read is replaced by another one of the dataset, the same on any rank, and told in
    `Batch.lost`: so all ranks stay equal. What `at` returns depends on nothing but `images_seen` and the arguments
    above `workers`.

    Args:
        rows: The split to read.
        order: Of the rows.
        batch: Global batch size, over all ranks.
        rank: Of this process.
        world_size: Number of ranks.
        preparation: Of every scene.
        workers: Threads that prepare as many of the next batches; 0 prepares each when asked for.
        cache_mb: Memory for decoded images; a split that fits, and always looks the same, is decoded once.

    Raises:
        FridoError: `batch` is no multiple of `world_size`; from `at`: nothing of the dataset can be read.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        order: Positions,
        batch: int,
        rank: int,
        world_size: int,
        preparation: Preparation,
        workers: int,
        cache_mb: int,
    ) -> None:
        if batch < 1 or batch % world_size:
            raise FridoError(
                "batch",
                got=batch,
                wanted=f"a positive multiple of the number of processes, {world_size}",
                do=f"set it to {max(1, round(batch / world_size)) * world_size}",
            )
        assert 0 <= rank < world_size, (rank, world_size)
        self.rows, self.order, self.preparation = rows, order, preparation
        self.batch, self.per_rank, self.rank = batch, batch // world_size, rank
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="loader") if workers else None
        self._ahead: dict[int, Future[Batch]] = {}
        fits = len(rows) * 3 * preparation.resolution**2 <= cache_mb * 2**20
        self._idle = np.random.default_rng(0) if preparation.fixed else None  # nothing is drawn from it
        self._table = _Table(cache_mb * 2**20) if fits and preparation.fixed else None

    def __len__(self) -> int:
        """Return the number of rows of the split: one epoch."""
        return len(self.rows)

    def at(self, images_seen: int) -> Batch:
        """Return the rows `[images_seen + rank * per_rank, + per_rank)` of the stream."""
        if self._pool is None:
            return self._load(images_seen)
        wanted = [images_seen + step * self.batch for step in range(self._workers + 1)]
        for start in set(self._ahead) - set(wanted):  # a jump: what was prepared is of no use
            self._ahead.pop(start).cancel()
        for start in wanted:
            if start not in self._ahead:
                self._ahead[start] = self._pool.submit(self._load, start)
        return self._ahead.pop(images_seen).result()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()

    def _load(self, images_seen: int) -> Batch:
        first = images_seen + self.rank * self.per_rank
        positions = np.arange(first, first + self.per_rank, dtype=np.int64)
        rows = self.order.indices(positions).tolist()
        if self._table is None:
            found = self._read(rows, positions.tolist())
        else:
            found = self._table.rows(rows, lambda missing: self._read(missing, missing))
        lost = [one for _, losses in found for one in losses]
        return batch_of([row for row, _ in found], positions=torch.from_numpy(positions), lost=lost)

    def _read(self, rows: Sequence[int], positions: Sequence[int]) -> list[Found]:
        scenes = self.rows.scenes(rows)
        return [self._row(*told) for told in zip(scenes, rows, positions, strict=True)]

    def _row(self, scene: Scene | Lost, row: int, position: int) -> Found:
        """Return a scene's row; or, if it cannot be read, that of the first substitute that can, and what was lost.

        Substitutes are drawn by the row alone: they are the same on whatever rank it is read.
        """
        tried = self._tried(scene, row, position)
        if not isinstance(tried, Lost):
            return tried, ()
        lost = [tried]
        substitutes = generator(0, row, "substitutes")
        for _ in range(TRIES):
            row = int(substitutes.integers(len(self)))
            (scene,) = self.rows.scenes([row])
            tried = self._tried(scene, row, position)
            if not isinstance(tried, Lost):
                return tried, tuple(lost)
            lost.append(tried)
        wanted = f"one of {TRIES} samples that can be read"
        raise FridoError(f"shard {tried.shard}, key {tried.key}", got=tried.reason, wanted=wanted, do=AGAIN)

    def _tried(self, scene: Scene | Lost, row: int, position: int) -> Row | Lost:
        if isinstance(scene, Lost):
            return scene
        random = self._idle or generator(self.order.seed, position, "framing")
        try:
            return self.preparation.row(scene, self.rows.vocabulary, random=random)
        except FridoError as error:
            return self.rows.lost(row, error)


def batch_of(rows: Sequence[Row], *, positions: Int[Tensor, "batch"], lost: Sequence[Lost] = ()) -> Batch:
    """Return prepared rows as one batch."""
    columns = zip(*(row.annotations for row in rows), strict=True)
    images = [row.image for row in rows if row.image is not None]
    segmentations = [row.segmentation for row in rows if row.segmentation is not None]
    return Batch(
        images=to_float(np.stack(images)) if len(images) == len(rows) else None,
        annotations=Annotations(*(torch.from_numpy(np.stack(column)) for column in columns)),
        ids=tuple(row.id for row in rows),
        positions=positions,
        valid=torch.ones(len(rows), dtype=torch.bool),
        segmentation=torch.from_numpy(np.stack(segmentations)) if len(segmentations) == len(rows) else None,
        lost=tuple(lost),
    )


class _Table:
    """Prepared rows of a split, and what was lost on the way to them, kept once they were asked for.

    Args:
        most: Bytes; rows beyond are prepared anew each time.
    """

    def __init__(self, most: int) -> None:
        self._left = most
        self._rows: dict[int, Found] = {}

    def rows(self, wanted: Sequence[int], read: Callable[[Sequence[int]], list[Found]]) -> list[Found]:
        missing = sorted({row for row in wanted if row not in self._rows})
        new = dict(zip(missing, read(missing), strict=True))
        for number, found in new.items():
            if self._left > 0:
                self._left -= found[0].nbytes
                self._rows[number] = found
        return [self._rows[row] if row in self._rows else new[row] for row in wanted]
