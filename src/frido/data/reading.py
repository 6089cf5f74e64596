"""What every dataset node does with its packed folder, whatever it came from."""

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Int
from torch import Tensor

from frido.contracts.batch import Batch
from frido.contracts.scene import Scene, Vocabulary
from frido.data import collate as collating
from frido.data.loader import Loader
from frido.data.order import Order
from frido.data.shards import Shards


class Reading:
    """How packed scenes become batches.

    Args:
        resolution: Side of the images, pixels.
        max_objects: Objects of a scene that are kept.
        max_relationships: Relationships of a scene that are kept.
        max_attributes: Attributes of an object that are kept.
        max_caption: Bytes of a caption that are kept.
        workers: Threads that prepare the next batches.
        cache_mb: Memory for decoded images, MB.
    """

    def __init__(
        self,
        *,
        resolution: int,
        max_objects: int,
        max_relationships: int,
        max_attributes: int,
        max_caption: int,
        workers: int,
        cache_mb: int,
    ) -> None:
        self.resolution = resolution
        self.limits = {
            "max_objects": max_objects,
            "max_relationships": max_relationships,
            "max_attributes": max_attributes,
            "max_caption": max_caption,
        }
        self.workers, self.cache_mb = workers, cache_mb

    def loader(self, root: Path, split: str, *, batch: int, rank: int, world_size: int, seed: int | None) -> Loader:
        """Return the batches of a split: shuffled without end by `seed`, or with `None` once, in row order."""
        shards = Shards(root, split)
        order = None if seed is None else Order.of(shards, seed=seed)
        return Loader(
            shards,
            order=order,
            batch=batch,
            rank=rank,
            world_size=world_size,
            resolution=self.resolution,
            workers=self.workers,
            cache_mb=self.cache_mb,
            **self.limits,
        )

    def collate(self, scenes: Sequence[Scene], vocabulary: Vocabulary, positions: Int[Tensor, "batch"]) -> Batch:
        """Return scenes from anywhere as a batch like the loader's."""
        return collating.collate(scenes, vocabulary, resolution=self.resolution, positions=positions, **self.limits)
