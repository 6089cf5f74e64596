"""Kernel distance: a Fréchet distance's unbiased cousin, which asks for no Gaussians."""

import numpy as np
from jaxtyping import Float32

from frido.metrics.features.base import Features
from frido.metrics.statistic import FeatureStatistic, Outcome


def kernel(
    one: Float32[np.ndarray, "rows d"], other: Float32[np.ndarray, "others d"]
) -> Float32[np.ndarray, "rows others"]:
    """Return the cubic polynomial kernel, (x.y / d + 1)^3 (Bińkowski et al., 2018, section 4)."""
    return (one @ other.T * (1 / one.shape[1]) + 1) ** 3


def squared_mmd(generated: Float32[np.ndarray, "rows d"], real: Float32[np.ndarray, "rows d"]) -> float:
    """Return the unbiased estimate of the squared maximum mean discrepancy of equally many rows.

    Gretton et al. (2012), lemma 6. In float32, sums of rows first, as torch-fidelity has it: the estimate is a small
    difference of large sums, and other roundings show in its fourth digit.
    """
    count = len(generated)
    within = [np.float32(0)] * 2
    for side, rows in enumerate((generated, real)):
        own = kernel(rows, rows)
        within[side] = (own.sum(axis=1) - own.diagonal()).sum()
    between = kernel(generated, real).sum(axis=0).sum()
    return float((within[0] + within[1]) / (count * (count - 1)) - 2 * between / (count * count))


class KID(FeatureStatistic):
    """Mean and deviation of the squared maximum mean discrepancy over subsets, as torch-fidelity draws them.

    Slightly below 0 is a value like any other: the estimate is unbiased.

    Args:
        subsets: How many; 100 in torch-fidelity.
        subset_size: Rows of each, without repeats; 1000 in torch-fidelity. Fewer images than this give no number.
        seed: Of the subsets; torch-fidelity's is 2020.
        dimension: Of the features, which it does not use.
        classes: Of the logits, which it does not use.
    """

    names = ("kid", "kid_std")

    def __init__(self, *, subsets: int, subset_size: int, seed: int, dimension: int, classes: int) -> None:
        self.subsets, self.subset_size, self.seed = subsets, subset_size, seed

    def compute(self, *, real: Features, generated: Features) -> Outcome:
        sides = generated.features.numpy(), real.features.numpy()
        count, least = len(sides[0]), min(map(len, sides))
        if least < self.subset_size:
            return Outcome({}, count, f"{least} images; a kernel distance here needs at least {self.subset_size}")
        random = np.random.RandomState(self.seed)
        found = []
        for _ in range(self.subsets):
            drawn = [rows[random.choice(len(rows), self.subset_size, replace=False)] for rows in sides]
            found.append(squared_mmd(*drawn))
        about = {"subsets": self.subsets, "subset_size": self.subset_size, "subset_seed": self.seed}
        return Outcome({"kid": float(np.mean(found)), "kid_std": float(np.std(found))}, count, about=about)
