"""Latents encoded once, and what is shown of the images: read by position, the second stage's stream."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from frido.contracts import atomic
from frido.contracts.batch import Annotations, Batch
from frido.contracts.lost import Lost
from frido.contracts.pyramid import Pyramid
from frido.data.rows import Positions

WORDS = "words"
"""What of the file's metadata is ours."""


class LatentTable:
    """All latents, annotations and prepared views of one split, one row per sample, in the dataset's row order.

    A loaded table is mapped to its file: it takes no memory that others could not have, and a row costs reading it.
    Making one takes memory: up to twice its size to `join` it, three times to `save` it. Latents are float32; a view
    of bytes at full resolution is `resolution^2` bytes per sample, 8 GB for 118 000 images of 256 x 256.

    Args:
        pyramid: Latents `(rows, channels, height, width)` per scale, coarsest first.
        annotations: Padded annotations of the same rows.
        ids: Sample ids of the same rows.
        view: What a view prepared of the same rows' images, in its own type; `None` where the denoiser is shown none.
        lost: Samples that could not be read; other samples stand in their rows.
    """

    def __init__(
        self,
        *,
        pyramid: Pyramid,
        annotations: Annotations,
        ids: tuple[str, ...],
        view: Tensor | None,
        lost: tuple[Lost, ...],
    ) -> None:
        self.pyramid, self.annotations, self.ids, self.view, self.lost = pyramid, annotations, ids, view, lost

    @classmethod
    def join(cls, batches: Sequence[Batch]) -> "LatentTable":
        """Return consecutive batches, which have latents and all or none a view, as one table."""
        pyramids = [batch.pyramid for batch in batches if batch.pyramid is not None]
        views = [batch.view.cpu() for batch in batches if batch.view is not None]
        assert len(pyramids) == len(batches), "a batch has no latents"
        assert len(views) in (0, len(batches)), "some batches have a view and some have none"
        return cls(
            pyramid=tuple(torch.cat(latents).float().cpu() for latents in zip(*pyramids, strict=True)),
            annotations=Annotations(*(torch.cat(c) for c in zip(*(b.annotations for b in batches), strict=True))),
            ids=tuple(name for batch in batches for name in batch.ids),
            view=torch.cat(views) if views else None,
            lost=tuple(lost for batch in batches for lost in batch.lost),
        )

    def save(self, path: Path) -> None:
        tensors = {f"scale_{scale}": latent.contiguous() for scale, latent in enumerate(self.pyramid)}
        tensors |= {name: tensor.contiguous() for name, tensor in self.annotations._asdict().items()}
        tensors |= {} if self.view is None else {"view": self.view.contiguous()}
        words = json.dumps({"ids": self.ids, "lost": self.lost})
        atomic.write_bytes(path, save(tensors, metadata={WORDS: words}))  # one entry: several come in any order

    @classmethod
    def load(cls, path: Path) -> "LatentTable":
        """Return the table in file `path`, whose tensors stay there until rows of them are asked for."""
        with safe_open(path, framework="pt") as file:
            names, words = file.keys(), json.loads(file.metadata()[WORDS])
            num_scales = sum(name.startswith("scale_") for name in names)
            return cls(
                pyramid=tuple(file.get_tensor(f"scale_{scale}") for scale in range(num_scales)),
                annotations=Annotations(*(file.get_tensor(name) for name in Annotations._fields)),
                ids=tuple(words["ids"]),
                view=file.get_tensor("view") if "view" in names else None,
                lost=tuple(Lost(*one) for one in words["lost"]),
            )


class LatentStream:
    """A `Stream` over a `LatentTable`, in the same order as the loader of images would have."""

    def __init__(self, table: LatentTable, *, order: Positions, batch: int, rank: int, world_size: int) -> None:
        self.table, self.order = table, order
        self.per_rank = batch // world_size
        self.offset = rank * self.per_rank

    def at(self, images_seen: int) -> Batch:
        start = images_seen + self.offset
        rows = torch.from_numpy(self.order.indices(np.arange(start, start + self.per_rank)))
        return Batch(
            images=None,
            annotations=Annotations(*(tensor[rows] for tensor in self.table.annotations)),
            ids=tuple(self.table.ids[row] for row in rows.tolist()),
            positions=torch.arange(start, start + self.per_rank),
            valid=torch.ones(self.per_rank, dtype=torch.bool),
            pyramid=tuple(latent[rows] for latent in self.table.pyramid),
            view=None if self.table.view is None else self.table.view[rows],
            lost=self.table.lost,
        )
