import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frido.data.order import Order
from tests.data.orders import at

sizes = st.lists(st.integers(1, 20), min_size=1, max_size=9)
small = st.integers(1, 7)


@given(sizes, small, small, st.integers(0, 2**62), st.integers(0, 5))
def test_every_epoch_holds_every_row_once(shard_sizes, run, block, seed, epoch):
    order = Order(shard_sizes=shard_sizes, run=run, block=block, seed=seed)
    count = sum(shard_sizes)
    rows = order.indices(np.arange(epoch * count, (epoch + 1) * count))
    assert sorted(rows.tolist()) == list(range(count))


@given(sizes, small, small, st.integers(0, 10), st.sampled_from([1, 2, 3, 4]), st.integers(0, 40))
def test_the_sequence_is_the_same_for_any_number_of_ranks(shard_sizes, run, block, seed, world_size, start):
    def order() -> Order:
        return Order(shard_sizes=shard_sizes, run=run, block=block, seed=seed)

    per_rank, steps = 12 // world_size, 4
    by_rank = [order() for _ in range(world_size)]  # each rank has its own, as in training
    together = []
    for step in range(steps):
        for rank in range(world_size):
            first = start + step * 12 + rank * per_rank
            together += by_rank[rank].indices(np.arange(first, first + per_rank)).tolist()
    alone = order()
    assert together == [at(alone, position) for position in range(start, start + steps * 12)]


def test_epochs_and_seeds_differ():
    order = Order(shard_sizes=[50, 50], run=1, block=1, seed=0)
    other = Order(shard_sizes=[50, 50], run=1, block=1, seed=1)
    first, second = order.indices(np.arange(100)), order.indices(np.arange(100, 200))
    assert (first != second).any()
    assert (first != other.indices(np.arange(100))).any()


def test_runs_stay_together_and_blocks_apart():
    order = Order(shard_sizes=[8] * 6, run=4, block=2, seed=3)
    rows = order.indices(np.arange(48)).reshape(12, 4)
    assert (np.diff(rows, axis=1) == 1).all() and (rows[:, 0] % 4 == 0).all()
    blocks = (rows[:, 0] // 8).reshape(3, 4)  # shard of every run, by block
    assert all(len(set(block)) == 2 for block in blocks.tolist())
    assert sorted({shard for block in blocks.tolist() for shard in set(block)}) == list(range(6))
    mixed = [Order(shard_sizes=[8] * 6, run=4, block=2, seed=seed) for seed in range(20)]
    first = [order.indices(np.arange(16))[::4] // 8 for order in mixed]
    assert any(len(set(shards[:2].tolist())) == 2 for shards in first), "the runs of a block's shards are mixed"


def test_jumping_back_and_forth_changes_nothing():
    order = Order(shard_sizes=[7, 5], run=2, block=2, seed=0)
    straight = [order.indices(np.array([position]))[0] for position in range(60)]
    assert [order.indices(np.array([position]))[0] for position in reversed(range(60))] == straight[::-1]


def test_every_row_is_equally_likely_at_every_place():
    """A shuffle that forgot a level would leave holes."""
    firsts = [at(Order(shard_sizes=[4, 4], run=1, block=2, seed=seed), 0) for seed in range(800)]
    assert np.bincount(firsts, minlength=8) == pytest.approx(np.full(8, 100), abs=45)


def test_memory_does_not_grow_with_the_epochs():
    order = Order(shard_sizes=[5, 4], run=2, block=1, seed=0)
    for position in range(0, 9 * 50, 3):
        order.indices(np.arange(position, position + 12))
        assert len(order._epochs) <= 2
