"""The global sequence of samples: the same for any number of ranks and workers, through any resume."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.contracts.scene import Scene, Vocabulary
from frido.data.loader import Loader
from frido.data.order import Order
from frido.data.rows import Rows
from frido.data.shards import Shards

BATCH, RANKS, WORKERS, EPOCHS = 12, (1, 2, 3, 4), (0, 1, 3), 3

MakeLoader = Callable[[int, int, int], Loader]
"""Of a rank, the number of ranks and the number of workers."""


class Memory(Rows):
    """Scenes without images; some cannot be read."""

    def __init__(self, sizes: Sequence[int], *, run: int, block: int, broken: frozenset[int] = frozenset()) -> None:
        self.sizes, self.run, self.block, self.broken = sizes, run, block, broken
        self.vocabulary = Vocabulary((), (), ())

    def __len__(self) -> int:
        return sum(self.sizes)

    def check(self) -> None:
        pass

    def order(self, *, seed: int) -> Order:
        return Order(shard_sizes=self.sizes, run=self.run, block=self.block, seed=seed)

    def scenes(self, rows: Sequence[int]) -> list[Scene | Lost]:
        return [Lost("shard", str(row), "broken") if row in self.broken else Scene(str(row)) for row in rows]

    def lost(self, row: int, error: FridoError) -> Lost:
        return Lost("shard", str(row), str(error))


def global_batch(make: MakeLoader, loaders: dict, start: int, *, ranks: int, workers: int) -> tuple[str, ...]:
    for rank in range(ranks):
        if (ranks, workers, rank) not in loaders:
            loaders[ranks, workers, rank] = make(rank, ranks, workers)
    parts = [loaders[ranks, workers, rank].at(start) for rank in range(ranks)]
    assert {part.size for part in parts} == {BATCH // ranks}
    return tuple(name for part in parts for name in part.ids)


def sequence(make: MakeLoader, starts: Sequence[int], crews: Sequence[tuple[int, int]]) -> list[tuple[str, ...]]:
    """Return the global batches at `starts`, read by a crew (ranks, workers) for each: it may change any time."""
    loaders: dict[tuple[int, int, int], Loader] = {}
    try:
        return [
            global_batch(make, loaders, start, ranks=ranks, workers=workers)
            for start, (ranks, workers) in zip(starts, crews, strict=True)
        ]
    finally:
        for loader in loaders.values():
            loader.close()


@pytest.fixture(scope="module")
def of(make_reading):
    """Return what makes loaders of some rows."""

    def of(rows: Rows) -> MakeLoader:
        def make(rank: int, ranks: int, workers: int) -> Loader:
            order = rows.order(seed=5)
            reading = make_reading(workers=workers)
            return reading.stream(rows, order=order, batch=BATCH, rank=rank, world_size=ranks)

        return make

    return of


def crews(count: int, changes: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Return a crew for each of `count` steps: one rank without workers, until a change (step, ranks, workers)."""
    found = [(1, 0)] * count
    for step, ranks, workers in sorted(changes):
        found[step:] = [(ranks, workers)] * (count - step)
    return found


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    run=st.integers(1, 10),
    block=st.integers(1, 9),
    broken=st.sets(st.integers(0, 71), max_size=3),
    changes=st.lists(
        st.tuples(st.integers(0, 10), st.sampled_from(RANKS), st.sampled_from(WORKERS)), min_size=1, max_size=4
    ),
)
def test_any_resume_continues_the_same_sequence(of, sizes, run, block, broken, changes):
    """Also with fewer shards than ranks, with shards shorter than a run, and around samples that cannot be read."""
    lost = frozenset(row for row in broken if row < sum(sizes) - 1)
    make = of(Memory(sizes, run=run, block=block, broken=lost))
    starts = range(0, -(-EPOCHS * sum(sizes) // BATCH) * BATCH, BATCH)
    found = sequence(make, starts, crews(len(starts), changes))
    assert found == sequence(make, starts, crews(len(starts), []))
    if not lost:
        names = list(itertools.chain.from_iterable(found))
        for epoch in range(EPOCHS):
            rows = names[epoch * sum(sizes) : (epoch + 1) * sum(sizes)]
            assert sorted(map(int, rows)) == list(range(sum(sizes)))


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("workers", WORKERS)
def test_real_shards(dataset, of, ranks, workers):
    make = of(Shards.below(dataset, "train"))
    starts = range(0, EPOCHS * 60, BATCH)
    alone = sequence(make, starts, [(1, 0)] * len(starts))
    assert sequence(make, starts, [(ranks, workers)] * len(starts)) == alone
    names = [name for batch in alone for name in batch]
    assert all(len(set(names[at : at + 60])) == 60 for at in range(0, len(names), 60))
    assert len({tuple(names[at : at + 60]) for at in range(0, len(names), 60)}) == EPOCHS, "epochs differ"


def test_random_crops_and_flips_belong_to_the_sample(dataset, make_reading):
    """Not only which samples: what is shown of them."""
    from frido.data.framing.random_2d import Random2d

    rows = Shards.below(dataset, "train")

    def pixels(ranks: int) -> np.ndarray:
        reading = make_reading(crop=Random2d(least=16), flip=0.5, workers=1)
        order = rows.order(seed=0)
        loaders = [reading.stream(rows, order=order, batch=BATCH, rank=rank, world_size=ranks) for rank in range(ranks)]
        return np.concatenate([loader.at(24).pixels.numpy() for loader in loaders])

    assert (pixels(1) == pixels(3)).all()


def test_an_image_is_framed_anew_in_every_epoch(dataset, make_reading):
    from frido.data.framing.random_2d import Random2d

    rows = Shards.below(dataset, "train")
    reading = make_reading(crop=Random2d(least=16), flip=0.5)
    stream = reading.stream(rows, order=rows.order(seed=0), batch=60, rank=0, world_size=1)
    crops = []
    for epoch in range(2):
        batch = stream.at(60 * epoch)
        crops.append(dict(zip(batch.ids, batch.annotations.crops_xyxy.tolist(), strict=True)))
    assert sum(crops[0][name] == crops[1][name] for name in crops[0]) < 20
