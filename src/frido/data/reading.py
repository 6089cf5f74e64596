"""How scenes become batches, whatever they come from."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from frido.contracts.batch import Batch
from frido.contracts.scene import Scene, Vocabulary
from frido.data.framing.base import Coordinates, Crop
from frido.data.loader import Loader, batch_of
from frido.data.preparation import Preparation
from frido.data.rows import Positions, Rows


class Reading:
    """How packed scenes become batches.

    Args:
        resolution: Side of the images, pixels.
        crop: Which part of a training image is shown.
        flip: Share of training images that are mirrored, in [0, 1].
        held_out_crop: Which part of other images is shown; always the same one.
        coordinates: In which boxes are given.
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
        crop: Crop,
        flip: float,
        held_out_crop: Crop,
        coordinates: Coordinates,
        max_objects: int,
        max_relationships: int,
        max_attributes: int,
        max_caption: int,
        workers: int,
        cache_mb: int,
    ) -> None:
        assert held_out_crop.fixed, "numbers on held-out images would depend on draws"

        def preparation(crop: Crop, flip: float) -> Preparation:
            return Preparation(
                resolution=resolution,
                crop=crop,
                flip=flip,
                coordinates=coordinates,
                max_objects=max_objects,
                max_relationships=max_relationships,
                max_attributes=max_attributes,
                max_caption=max_caption,
            )

        self.training = preparation(crop, flip)
        self.held_out = preparation(held_out_crop, 0.0)
        self.resolution, self.workers, self.cache_mb = resolution, workers, cache_mb

    def stream(self, rows: Rows, *, order: Positions, batch: int, rank: int, world_size: int) -> Loader:
        """Return the endless stream of training batches in some order."""
        return Loader(
            rows,
            order=order,
            batch=batch,
            rank=rank,
            world_size=world_size,
            preparation=self.training,
            workers=self.workers,
            cache_mb=self.cache_mb,
        )

    def batch(self, rows: Rows, numbers: Sequence[int]) -> Batch:
        """Return some rows as a held-out batch; `positions` are their numbers.

        Raises:
            FridoError: One cannot be read.
        """
        return self.collate([rows.scene(number) for number in numbers], rows.vocabulary, torch.tensor(numbers))

    def collate(self, scenes: Sequence[Scene], vocabulary: Vocabulary, positions: Int[Tensor, "batch"]) -> Batch:
        """Return scenes from anywhere as a held-out batch; `images` is `None` when they carry none."""
        random = np.random.default_rng(0)  # held-out crops draw nothing
        found = [self.held_out.row(scene, vocabulary, random=random) for scene in scenes]
        return batch_of(found, positions=positions)
