"""Datasets mixed by weight."""

import io

import numpy as np
import pytest
from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.contracts.scene import Object, Scene, Vocabulary
from frido.data.encoding import png
from frido.data.mixture import BLOCK, MixedOrder, Mixture, together
from frido.data.order import InOrder, Order
from frido.data.rows import Rows

GRAIN = 4


class Named(Rows):
    """Rows whose scenes say where they come from."""

    def __init__(self, name: str, count: int, *, words: tuple[str, ...] = ("thing",), segments=None) -> None:
        self.name, self.count = name, count
        self.vocabulary = Vocabulary((*words, name), (), ())
        self.segmentation = b"" if segments is None else png(np.array(segments, np.uint8))

    def __len__(self) -> int:
        return self.count

    def check(self) -> None:
        pass

    def order(self, *, seed: int):
        return Order(shard_sizes=[self.count], run=1, block=1, seed=seed)

    def scenes(self, rows):
        whole = (Object(self.name, (0.0, 0.0, 1.0, 1.0)),)
        return [Scene(f"{self.name}-{row}", whole, segmentation=self.segmentation) for row in rows]

    def lost(self, row: int, error: FridoError) -> Lost:
        return Lost(self.name, str(row), "no reason")


def mixture() -> Mixture:
    return mixed(Named("a", 10), Named("b", 30), weights=[3.0, 1.0])


def mixed(*parts: Named, weights: list[float]) -> Mixture:
    words = together([part.vocabulary for part in parts])
    return Mixture(dict(enumerate(parts)), weights=weights, vocabulary=words, grain=GRAIN)


def owners(order: MixedOrder, count: int) -> np.ndarray:
    """Return which dataset each position is from: rows of the n-th are from 1000 n on."""
    return order.indices(np.arange(count)) // 1000


def test_shares_at_every_moment():
    order = MixedOrder(
        orders=[InOrder(10), InOrder(7), InOrder(900)],
        firsts=[0, 1000, 2000],
        weights=[5.0, 1.0, 2.5],
        grain=GRAIN,
        seed=1,
    )
    found = owners(order, 20 * BLOCK * GRAIN)
    for blocks in range(1, 21):
        counts = np.bincount(found[: blocks * BLOCK * GRAIN], minlength=3)
        wanted = blocks * BLOCK * GRAIN * np.array([5, 1, 2.5]) / 8.5
        assert np.abs(counts - wanted).max() <= GRAIN


def test_shares_of_two_are_rounded_to_the_nearest():
    order = MixedOrder(orders=[InOrder(9), InOrder(9)], firsts=[0, 1000], weights=[1.0, 2.0], grain=GRAIN, seed=1)
    found = owners(order, 9 * BLOCK * GRAIN)
    for blocks in range(1, 10):
        count = (found[: blocks * BLOCK * GRAIN] == 0).sum()
        assert abs(count - blocks * BLOCK * GRAIN / 3) <= GRAIN / 2


def test_every_dataset_is_read_in_its_own_order():
    orders = [Order(shard_sizes=[10, 3], run=2, block=1, seed=5), Order(shard_sizes=[7], run=1, block=1, seed=5)]
    mixed = MixedOrder(orders=orders, firsts=[0, 1000], weights=[1.0, 2.0], grain=GRAIN, seed=1)
    rows = mixed.indices(np.arange(3000))
    for part, order in enumerate(orders):
        mine = rows[rows // 1000 == part] - 1000 * part
        assert np.array_equal(mine, order.indices(np.arange(len(mine))))


def test_a_grain_is_from_one_dataset():
    mixed = MixedOrder(orders=[InOrder(10), InOrder(7)], firsts=[0, 1000], weights=[1.0, 1.0], grain=GRAIN, seed=1)
    found = owners(mixed, 100 * GRAIN).reshape(-1, GRAIN)
    assert (found == found[:, :1]).all() and 0 < found[:, 0].mean() < 1


def test_positions_can_be_asked_in_any_grouping():
    mixed = mixture().order(seed=3)
    whole = mixed.indices(np.arange(5000))
    assert np.array_equal(np.concatenate([mixed.indices(np.arange(at, at + 50)) for at in range(0, 5000, 50)]), whole)
    assert not np.array_equal(mixture().order(seed=4).indices(np.arange(5000)), whole)


def test_first_rows_hold_every_dataset():
    """Held-out scenes are the first rows: a quarter of these is from the dataset that holds a quarter of all."""
    names = [scene.id[0] for scene in mixture().scenes(range(20))]
    assert names.count("a") == 5
    assert sorted(scene.id for scene in mixture().scenes(range(40))) == sorted(
        f"{name}-{row}" for name, count in (("a", 10), ("b", 30)) for row in range(count)
    )


def test_rows_keep_their_words_and_places():
    mixed = mixture()
    assert mixed.vocabulary.categories == ("thing", "a", "b")
    for row, scene in enumerate(mixed.scenes(range(40))):
        lost = mixed.lost(row, FridoError("x", got=1, wanted="y", do="z"))
        assert f"{lost.shard}-{lost.key}" == f"{'ab'.index(scene.id[0])}/{scene.id}", (
            "datasets may share names of shards"
        )
    with pytest.raises(IndexError):
        mixed.scenes([40])


def test_a_split_that_only_some_have_keeps_words_and_numbers():
    held = Named("b", 3)
    words = together([Named("a", 1).vocabulary, held.vocabulary])
    rows = Mixture({1: held}, weights=[9.0, 1.0], vocabulary=words, grain=GRAIN)
    assert rows.vocabulary.categories == ("thing", "a", "b")
    assert rows.lost(0, FridoError("x", got=1, wanted="y", do="z")).shard == "1/b"
    assert len(rows.order(seed=0).indices(np.arange(9))) == 9


def test_segments_are_numbered_as_the_words_of_all():
    parts = [
        Named("a", 1, words=("sky", "sea"), segments=[[0, 1, 2, 3]]),
        Named("c", 1, words=("sea", "sky"), segments=[[0, 1, 2, 3]]),  # the same words, in another order, and one more
        Named("a", 1, words=("sea", "sky"), segments=[[0, 1, 2, 3]]),
    ]
    rows = mixed(*parts, weights=[1.0, 1.0, 1.0])
    assert rows.vocabulary.categories == ("sky", "sea", "a", "c")
    values = [np.asarray(Image.open(io.BytesIO(scene.segmentation))).tolist() for scene in rows.scenes([0, 1, 2])]
    assert values == [[[0, 1, 2, 3]], [[0, 2, 1, 4]], [[0, 2, 1, 3]]]


def test_a_segment_of_no_category_is_a_lost_sample():
    rows = mixed(Named("a", 1), Named("b", 1, segments=[[0, 7]]), weights=[1.0, 1.0])
    found = rows.scenes([0, 1])
    assert isinstance(found[0], Scene) and found[1] == Lost("1/b", "0", "no reason")
