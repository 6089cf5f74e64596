"""Latents on disk: what the second stage reads is what the first one encoded."""

import pytest
import torch

from frido.contracts.lost import Lost
from frido.data.latents import LatentStream, LatentTable
from frido.data.shards import Shards
from tests.data.orders import at


def encoded(dataset, reading, view):
    """The training split in four batches: means of pixels as latents, and a view where there is to be one."""
    shards = Shards.below(dataset, "train")
    batches = []
    for start in range(0, 60, 16):
        batch = reading.batch(shards, range(start, min(start + 16, 60)))
        pyramid = batch.pixels.mean((2, 3), keepdim=True), batch.pixels[:, :, ::8, ::8]
        shown = None if view is None else (batch.pixels[:, :1, ::4, ::4] * 100 + 100).to(view)
        batches.append(batch._replace(pyramid=pyramid, view=shown))
    return batches


@pytest.mark.parametrize("view", [None, torch.uint8, torch.int16, torch.float32])
def test_the_stream_gives_what_was_encoded(dataset, make_reading, tmp_path, view):
    batches = encoded(dataset, make_reading(), view)
    LatentTable.join(batches).save(tmp_path / "train.safetensors")
    table = LatentTable.load(tmp_path / "train.safetensors")
    order = Shards.below(dataset, "train").order(seed=3)
    stream = LatentStream(table, order=order, batch=12, rank=1, world_size=2)
    found = stream.at(120)
    assert found.positions.tolist() == list(range(126, 132)) and found.images is None
    for place, position in enumerate(range(126, 132)):
        row = at(order, position)
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


def test_what_was_lost_while_encoding_is_told_while_training(dataset, make_reading, tmp_path):
    lost = (Lost("train-000001.tar", "train-0000017", "changed bytes"),)
    first, *rest = encoded(dataset, make_reading(), None)
    LatentTable.join([first._replace(lost=lost), *rest]).save(tmp_path / "train.safetensors")
    table = LatentTable.load(tmp_path / "train.safetensors")
    order = Shards.below(dataset, "train").order(seed=3)
    assert LatentStream(table, order=order, batch=12, rank=0, world_size=1).at(0).lost == lost


def test_batches_with_and_without_a_view_do_not_mix(dataset, make_reading):
    some, others = encoded(dataset, make_reading(), torch.float32), encoded(dataset, make_reading(), None)
    with pytest.raises(AssertionError, match="view"):
        LatentTable.join([some[0], others[1]])
