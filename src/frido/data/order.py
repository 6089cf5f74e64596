"""The order of samples: a function of seed and position, in three levels (docs: conventions)."""

import itertools
from collections.abc import Sequence

import numpy as np

from frido.contracts.philox import generator


class Order:
    """Which row of the dataset stands at each position of an endless, shuffled stream.

    In every epoch the shards are permuted, taken in blocks of `block`, and inside a block all contiguous runs of
    `run` samples (the last of a shard may be shorter) are permuted. So reading stays mostly sequential, and neither
    the number of ranks nor that of workers can change the sequence. Every epoch holds every row once.

    Args:
        shard_sizes: Number of samples of each shard, in the dataset's order.
        run: Samples that always stay together (c); 1 shuffles single samples.
        block: Shards whose runs are mixed (K).
        seed: Of the order alone.
    """

    def __init__(self, *, shard_sizes: Sequence[int], run: int, block: int, seed: int) -> None:
        assert run >= 1 and block >= 1 and shard_sizes and min(shard_sizes) >= 1, (run, block, shard_sizes)
        self.block, self.seed = block, seed
        self.count = int(sum(shard_sizes))
        firsts = np.concatenate([[0], np.cumsum(shard_sizes)])
        self._starts = [np.arange(a, b, run) for a, b in itertools.pairwise(firsts)]
        self._lengths = [np.minimum(run, b - s) for s, b in zip(self._starts, firsts[1:], strict=True)]
        self._epochs: dict[int, np.ndarray] = {}

    def indices(self, positions: np.ndarray) -> np.ndarray:
        """Return the rows at many positions at once."""
        epochs, offsets = np.divmod(positions, self.count)
        rows = np.empty(len(positions), np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            rows[here] = self._permutation(int(epoch))[offsets[here]]
        return rows

    def _permutation(self, epoch: int) -> np.ndarray:
        known = self._epochs  # once: other threads put others in its place
        if epoch not in known:
            # a batch touches two epochs at most and prefetching stays close; two are kept in all
            known = self._epochs = dict([*known.items()][-1:]) | {epoch: self._shuffled(epoch)}
        return known[epoch]

    def _shuffled(self, epoch: int) -> np.ndarray:
        random = generator(self.seed, epoch, "order")
        shards = random.permutation(len(self._starts))
        parts = []
        for first in range(0, len(shards), self.block):
            inside = shards[first : first + self.block]
            starts = np.concatenate([self._starts[shard] for shard in inside])
            lengths = np.concatenate([self._lengths[shard] for shard in inside])
            shuffle = random.permutation(len(starts))
            starts, lengths = starts[shuffle], lengths[shuffle]
            before = np.cumsum(lengths) - lengths
            parts.append(np.repeat(starts - before, lengths) + np.arange(lengths.sum()))
        return np.concatenate(parts)


class InOrder:
    """The rows one after the other, epoch after epoch.

    Args:
        count: Of rows.
    """

    seed = 0

    def __init__(self, count: int) -> None:
        self.count = count

    def indices(self, positions: np.ndarray) -> np.ndarray:
        """Return the rows at many positions at once."""
        return positions % self.count
