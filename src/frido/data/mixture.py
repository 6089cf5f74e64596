"""Several datasets read as one, in the shares that their weights say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.contracts.philox import generator
from frido.contracts.scene import KINDS, Scene, Vocabulary
from frido.data.encoding import numbers_of, renumbered
from frido.data.rows import Positions, Rows

BLOCK = 256
"""Grains after which every dataset has had its share, to a grain."""


class MixedOrder:
    """Draws from the orders of several datasets; a function of seed and position, like each of them.

    The stream is cut into grains, which come from one dataset each, and the grains into blocks: in each block every
    dataset has its share, rounded so that the sum of all blocks so far is never off by more than a grain, at random
    places. Each dataset is read in its own order, without a gap, epoch after epoch of its own.

    Args:
        orders: Of the datasets.
        firsts: Where the rows of each begin in the numbering of what `indices` returns.
        weights: Shares of the stream, in any unit.
        grain: Samples in a row that come from the same dataset.
        seed: Of the places.
    """

    def __init__(
        self, *, orders: Sequence[Positions], firsts: Sequence[int], weights: Sequence[float], grain: int, seed: int
    ) -> None:
        self.orders, self.firsts, self.grain, self.seed = list(orders), list(firsts), grain, seed
        self._edges = np.cumsum([0.0, *weights]) / sum(weights)

    def indices(self, positions: np.ndarray) -> np.ndarray:
        """Return the rows at many positions at once."""
        rows = np.empty(len(positions), np.int64)
        grains, inside = np.divmod(positions, self.grain)
        blocks, places = np.divmod(grains, BLOCK)
        for block in np.unique(blocks):
            dataset, number = self._block(int(block))
            here = np.flatnonzero(blocks == block)
            for part, order in enumerate(self.orders):
                mine = here[dataset[places[here]] == part]
                rows[mine] = self.firsts[part] + order.indices(number[places[mine]] * self.grain + inside[mine])
        return rows

    def _block(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Return for each grain of a block which dataset it is from, and the how manieth of that dataset it is."""
        before, after = (np.floor((block + more) * BLOCK * self._edges + 0.5).astype(np.int64) for more in (0, 1))
        had, due = np.diff(before), np.diff(after)
        random = generator(self.seed, block, "mixture")
        dataset = random.permutation(np.repeat(np.arange(len(due)), due - had))
        number = np.empty(BLOCK, np.int64)
        for part, first in enumerate(had):
            mine = dataset == part
            number[mine] = first + np.arange(mine.sum())
        return dataset, number


class Mixture(Rows):
    """The same split of several datasets, in the words of all of them.

    Rows are numbered so that any first ones hold about the same share of every dataset.

    Args:
        parts: Splits, by the number of the dataset; not all need have such a split.
        weights: Of every dataset, its share of the shuffled stream, in any unit.
        vocabulary: All words of all datasets, also of those that do not have this split.
        grain: Samples in a row that come from the same dataset; at best a multiple of every dataset's run.
    """

    def __init__(
        self, parts: Mapping[int, Rows], *, weights: Sequence[float], vocabulary: Vocabulary, grain: int
    ) -> None:
        self.datasets, self.parts = list(parts), list(parts.values())
        self.weights, self.vocabulary, self.grain = [weights[dataset] for dataset in parts], vocabulary, grain
        self._numbers = [numbers_of(part.vocabulary.categories, vocabulary.categories) for part in self.parts]
        """By part: what its categories are called in segmentations; see `renumbered`."""
        counts = [len(part) for part in self.parts]
        self._firsts = np.concatenate([[0], np.cumsum(counts)])
        depth = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
        self._joined = np.argsort(depth, kind="stable")
        """By row: its place when the datasets stand one after the other."""
        self._rows = np.argsort(self._joined, kind="stable")

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def check(self) -> None:
        for part in self.parts:
            part.check()

    def order(self, *, seed: int) -> Positions:
        orders = [part.order(seed=seed) for part in self.parts]
        mixed = MixedOrder(
            orders=orders, firsts=self._firsts[:-1].tolist(), weights=self.weights, grain=self.grain, seed=seed
        )
        return _Numbered(mixed, self._rows)

    def scenes(self, rows: Sequence[int]) -> list[Scene | Lost]:
        found: dict[int, Scene | Lost] = {}
        places = [self._place(row) for row in rows]
        for number, part in enumerate(self.parts):
            mine = [(at, row) for at, (owner, row) in enumerate(places) if owner == number]
            read = part.scenes([row for _, row in mine])
            found |= {at: self._told(number, row, scene) for (at, row), scene in zip(mine, read, strict=True)}
        return [found[at] for at in range(len(rows))]

    def lost(self, row: int, error: FridoError) -> Lost:
        part, inside = self._place(row)
        return self._named(part, self.parts[part].lost(inside, error))

    def _told(self, part: int, row: int, found: Scene | Lost) -> Scene | Lost:
        """Return what a part gave for one of its rows, so that it can stand beside what the others give."""
        if isinstance(found, Lost):
            return self._named(part, found)
        numbers = self._numbers[part]
        if not found.segmentation or np.array_equal(numbers, np.arange(len(numbers))):
            return found
        try:
            segmentation = renumbered(found.segmentation, numbers, f"segmentation of scene {found.id}")
        except FridoError as error:
            return self._named(part, self.parts[part].lost(row, error))
        return replace(found, segmentation=segmentation)

    def _named(self, part: int, lost: Lost) -> Lost:
        """Return a lost sample with its dataset's number before the shard's name."""
        return lost._replace(shard=f"{self.datasets[part]}/{lost.shard}")

    def _place(self, row: int) -> tuple[int, int]:
        """Return the dataset of a row, and its row there."""
        joined = int(self._joined[row])
        part = int(np.searchsorted(self._firsts, joined, side="right")) - 1
        return part, joined - int(self._firsts[part])


class _Numbered:
    """An order whose rows are numbered otherwise."""

    def __init__(self, order: Positions, numbers: np.ndarray) -> None:
        self.order, self.numbers, self.seed = order, numbers, order.seed

    def indices(self, positions: np.ndarray) -> np.ndarray:
        return self.numbers[self.order.indices(positions)]


def together(vocabularies: Sequence[Vocabulary]) -> Vocabulary:
    """Return the words of all, each once, in their order; and the first tokenizer, which knows any text."""
    words = {name: tuple(dict.fromkeys(word for one in vocabularies for word in getattr(one, name))) for name in KINDS}
    return Vocabulary(**words, tokenizer=next((one.tokenizer for one in vocabularies if one.tokenizer), ""))
