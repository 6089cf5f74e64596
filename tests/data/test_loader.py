import io
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.stream import Stream
from frido.data.shards import Shards
from tests.data.orders import at


@pytest.fixture
def make(make_reading):
    def make(root: Path, *, batch=12, rank=0, world_size=1, seed=0, **reading):
        rows = Shards.below(root, "train")
        order = rows.order(seed=seed)
        return make_reading(**reading).stream(rows, order=order, batch=batch, rank=rank, world_size=world_size)

    return make


def same(first, second) -> bool:
    return (
        first.ids == second.ids
        and torch.equal(first.images, second.images)
        and torch.equal(first.positions, second.positions)
        and torch.equal(first.valid, second.valid)
        and all(torch.equal(a, b) for a, b in zip(first.annotations, second.annotations, strict=True))
    )


def test_it_is_a_stream_in_the_datasets_order(dataset, make):
    loader, shards = make(dataset), Shards.below(dataset, "train")
    assert isinstance(loader, Stream)
    order = shards.order(seed=0)
    batch = loader.at(48)  # over the end of the first epoch of 60
    assert batch.positions.tolist() == list(range(48, 60))
    batch = loader.at(54)
    assert batch.ids == tuple(shards.scene(at(order, position)).id for position in range(54, 66))
    assert batch.valid.all()


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("cache_mb", [0, 64])
def test_workers_and_cache_change_nothing(dataset, make, workers, cache_mb):
    plain, other = make(dataset), make(dataset, workers=workers, cache_mb=cache_mb)
    for start in (0, 12, 24, 120, 36, 0, 999):  # forwards, jumps, backwards
        assert same(plain.at(start), other.at(start))
    other.close()


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_ranks_share_the_global_batch_equally(dataset, make, world_size):
    whole = make(dataset).at(36)
    parts = [make(dataset, rank=rank, world_size=world_size, workers=1).at(36) for rank in range(world_size)]
    assert {part.size for part in parts} == {12 // world_size}
    for rank, part in enumerate(parts):
        assert same(part, whole.rows(rank * part.size, (rank + 1) * part.size))


def test_resuming_in_the_middle_of_an_epoch_is_exact(dataset, make):
    straight = make(dataset, workers=2)
    batches = [straight.at(start) for start in range(0, 120, 12)]
    resumed = make(dataset, workers=2)
    for step in range(4, 10):
        assert same(resumed.at(step * 12), batches[step])


def test_images_are_the_stored_ones(dataset, make_reading):
    rows = Shards.below(dataset, "val")
    batch = make_reading().batch(rows, range(10))
    stored = np.asarray(Image.open(io.BytesIO(rows.scene(3).image)))
    back = ((batch.images[3] + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert (back == stored).all()


@pytest.mark.parametrize(("batch", "world_size"), [(0, 1), (5, 2), (-4, 2)])
def test_batches_that_cannot_be_shared_are_refused(dataset, make, batch, world_size):
    with pytest.raises(FridoError, match="multiple of the number of processes"):
        make(dataset, batch=batch, world_size=world_size)


def test_close_ends_the_threads(dataset, make):
    before = threading.active_count()
    loader = make(dataset, workers=3)
    loader.at(0)
    assert threading.active_count() > before
    loader.close()
    assert threading.active_count() == before
