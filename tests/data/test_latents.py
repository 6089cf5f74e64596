"""Latents on disk: what the second stage reads is what the first one encoded."""

import pytest
import torch

from frido.data.latents import LatentStream, LatentTable
from frido.data.order import Order
from frido.data.reading import Reading
from frido.data.shards import Shards

LIMITS = {"max_objects": 3, "max_relationships": 6, "max_attributes": 3, "max_caption": 64}


def encoded(dataset, view):
    """The training split in four batches: means of pixels as latents, and a view where there is to be one."""
    shards, reading = Shards(dataset, "train"), Reading(resolution=32, workers=0, cache_mb=0, **LIMITS)
    batches = []
    for start in range(0, 60, 16):
        rows = range(start, min(start + 16, 60))
        batch = reading.collate([shards.scene(row) for row in rows], shards.vocabulary, torch.tensor(list(rows)))
        pyramid = batch.pixels.mean((2, 3), keepdim=True), batch.pixels[:, :, ::8, ::8]
        shown = None if view is None else (batch.pixels[:, :1, ::4, ::4] * 100 + 100).to(view)
        batches.append(batch._replace(pyramid=pyramid, view=shown))
    return batches


@pytest.mark.parametrize("view", [None, torch.uint8, torch.int16, torch.float32])
def test_the_stream_gives_what_was_encoded(dataset, tmp_path, view):
    batches = encoded(dataset, view)
    LatentTable.join(batches).save(tmp_path / "train.safetensors")
    table = LatentTable.load(tmp_path / "train.safetensors")
    order = Order.of(Shards(dataset, "train"), seed=3)
    stream = LatentStream(table, order=order, batch=12, rank=1, world_size=2)
    found = stream.at(120)
    assert found.positions.tolist() == list(range(126, 132)) and found.images is None
    for place, position in enumerate(range(126, 132)):
        row = order.index(position)
        batch, inner = batches[row // 16], row % 16
        assert found.ids[place] == batch.ids[inner]
        for ours, theirs in zip(found.annotations, batch.annotations, strict=True):
            assert torch.equal(ours[place], theirs[inner])
        for ours, theirs in zip(found.pyramid, batch.pyramid, strict=True):
            assert torch.equal(ours[place], theirs[inner])
        if view is None:
            assert found.view is None
        else:
            assert found.view.dtype == view and torch.equal(found.view[place], batch.view[inner])
    assert found.annotations.captions.any(), "captions are there"


def test_batches_with_and_without_a_view_do_not_mix(dataset):
    some, others = encoded(dataset, torch.float32), encoded(dataset, None)
    with pytest.raises(AssertionError, match="view"):
        LatentTable.join([some[0], others[1]])
