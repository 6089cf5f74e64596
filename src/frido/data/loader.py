"""Packed scenes -> the stream of batches."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from frido.contracts.batch import Annotations, Batch
from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.collate import annotate, square, to_float
from frido.data.images import decoded
from frido.data.order import Order
from frido.data.shards import Shards


class Loader:
    """A `Stream` of images: `at(images_seen)` is this rank's part of the global batch that starts there.

    Segmentations are left out: first stages, which read images by position, do not look at them.

    With an `order` the stream is endless and shuffled. Without one it is the dataset's rows once, in their order:
    rows past the end repeat the last one and are marked not `valid`, so that every rank gets equal batches.
    What `at` returns depends on nothing but `images_seen` and the arguments above `workers`.

    Args:
        shards: The split to read.
        order: Of training; `None` to evaluate.
        batch: Global batch size, over all ranks.
        rank: Of this process.
        world_size: Number of ranks.
        resolution: Side of the images, pixels.
        max_objects: Rows for objects; see `collate`.
        max_relationships: Rows for relationships.
        max_attributes: Attributes of an object that are kept, the first ones.
        max_caption: Bytes of a caption that are kept.
        workers: Threads that prepare as many of the next batches; 0 prepares each when asked for.
        cache_mb: Memory for decoded images; a split that fits is decoded once.

    Raises:
        FridoError: `batch` is no multiple of `world_size`; from `at`: a shard cannot be read.
    """

    def __init__(
        self,
        shards: Shards,
        *,
        order: Order | None,
        batch: int,
        rank: int,
        world_size: int,
        resolution: int,
        max_objects: int,
        max_relationships: int,
        max_attributes: int,
        max_caption: int,
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
        self.shards, self.order = shards, order
        self.batch, self.per_rank, self.rank = batch, batch // world_size, rank
        self.resolution = resolution
        self._limits = {
            "max_objects": max_objects,
            "max_relationships": max_relationships,
            "max_attributes": max_attributes,
            "max_caption": max_caption,
        }
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="loader") if workers else None
        self._ahead: dict[int, Future[Batch]] = {}
        self._table = _Table(len(shards), resolution, self._limits) if self._fits(cache_mb) else None

    def __len__(self) -> int:
        """Return the number of rows of the split: one epoch."""
        return len(self.shards)

    def at(self, images_seen: int) -> Batch:
        """Return the rows `[images_seen + rank * per_rank, + per_rank)` of the stream."""
        if self._pool is None:
            return self._load(images_seen)
        wanted = [images_seen + step * self.batch for step in range(self._workers + 1)]
        if self.order is None:
            wanted = [start for start in wanted if start < len(self) or start == images_seen]
        for start in set(self._ahead) - set(wanted):  # a jump: what was prepared is of no use
            self._ahead.pop(start).cancel()
        for start in wanted:
            if start not in self._ahead:
                self._ahead[start] = self._pool.submit(self._load, start)
        return self._ahead.pop(images_seen).result()

    def scenes(self, images_seen: int) -> list[Scene]:
        """Return the scenes of `at(images_seen)`, valid rows only, annotated for the square that its images show."""
        _, rows, valid = self._rows(images_seen)
        return [square(self.shards.scene(int(row))) for row in rows[valid]]

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()
        self.shards.close()

    def _fits(self, cache_mb: int) -> bool:
        return len(self.shards) * 3 * self.resolution**2 <= cache_mb * 2**20

    def _rows(self, images_seen: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        first = images_seen + self.rank * self.per_rank
        positions = np.arange(first, first + self.per_rank, dtype=np.int64)
        if self.order is not None:
            return positions, self.order.indices(positions), np.ones(len(positions), bool)
        return positions, np.minimum(positions, len(self) - 1), positions < len(self)

    def _load(self, images_seen: int) -> Batch:
        positions, rows, valid = self._rows(images_seen)
        if self._table is None:
            ids, decoded_images, annotated = zip(*(self._decode(int(row)) for row in rows), strict=True)
            images = np.stack(decoded_images)
            annotations = [np.stack(column) for column in zip(*annotated, strict=True)]
        else:
            ids, images, annotations = self._table.rows(rows, self._decode)
        return Batch(
            images=to_float(images),
            annotations=Annotations(*(torch.from_numpy(column) for column in annotations)),
            ids=ids,
            positions=torch.from_numpy(positions),
            valid=torch.from_numpy(valid),
        )

    def _decode(self, row: int) -> "_Row":
        scene = self.shards.scene(row)
        image = decoded(scene.image, self.resolution, where=self.shards.where(row))
        return scene.id, image, annotate(square(scene), self.shards.vocabulary, **self._limits)


_Row = tuple[str, np.ndarray, tuple[np.ndarray, ...]]


class _Table:
    """Decoded rows of a split, filled as they are asked for. Memory is taken when it is filled."""

    def __init__(self, count: int, resolution: int, limits: dict[str, int]) -> None:
        objects, relationships, attributes = (
            limits[f"max_{name}"] for name in ("objects", "relationships", "attributes")
        )
        self.known = np.zeros(count, bool)
        self.ids: list[str] = [""] * count
        self.images = np.empty((count, 3, resolution, resolution), np.uint8)
        self.annotations: list[np.ndarray] = [
            np.empty((count, objects), np.int64),
            np.empty((count, objects, attributes), np.int64),
            np.empty((count, objects, 4), np.float32),
            np.empty((count, relationships, 3), np.int64),
            np.empty((count, limits["max_caption"]), np.uint8),
        ]
        self._filling = threading.Lock()

    def rows(
        self, rows: np.ndarray, decode: Callable[[int], _Row]
    ) -> tuple[tuple[str, ...], np.ndarray, list[np.ndarray]]:
        for row in np.unique(rows[~self.known[rows]]).tolist():
            name, image, annotation = decode(row)
            with self._filling:
                self.ids[row], self.images[row] = name, image
                for column, value in zip(self.annotations, annotation, strict=True):
                    column[row] = value
                self.known[row] = True
        return tuple(self.ids[row] for row in rows.tolist()), self.images[rows], [a[rows] for a in self.annotations]
