"""Fréchet distance at a stated number of images, and how far it is from sample to sample."""

import numpy as np

from frido.metrics.features.base import Features
from frido.metrics.frechet_to import FrechetTo
from frido.metrics.statistic import FeatureStatistic, Outcome


class SubsampledFID(FeatureStatistic):
    """Mean and deviation of the distances of some of the generated images to all real ones.

    Each draw takes `size` generated images, none twice, so the number is the mean of honest distances at that many
    images; its name says them: `fid_subsampled/inception@5000`. Draws share images, so the deviation is too small,
    by at most a factor 1.4 (at `2 * size` images).
    It is never a bootstrap: images drawn with replacement come twice, the covariance then looks like one of fewer
    images, and the Fréchet distance, which is biased upward by 1/n, comes out larger than any that was measured.

    Args:
        name: Of the number; its deviation is `NAME_std`.
        size: Of a draw, images; more than the features have dimensions.
        draws: How many.
        seed: Of the draws.
        dimension: Of the features.
        classes: Of the logits, which it does not use.
    """

    def __init__(self, *, name: str, size: int, draws: int, seed: int, dimension: int, classes: int) -> None:
        self.names = (name, f"{name}_std")
        self.size, self.draws, self.seed, self.dimension = size, draws, seed, dimension

    def compute(self, *, real: Features, generated: Features) -> Outcome:
        count = len(generated.positions)
        if refusal := self._refusal(len(real.positions), count):
            return Outcome({}, self.size, refusal)
        random, distance = np.random.default_rng(self.seed), FrechetTo(real.features)
        drawn = [random.choice(count, self.size, replace=False) for _ in range(self.draws)]
        distances = [distance(generated.features[rows]) for rows in drawn]
        mean, deviation = float(np.mean(distances)), float(np.std(distances, ddof=1))
        about = {"draws": self.draws, "draw_size": self.size, "draw_seed": self.seed}
        return Outcome(dict(zip(self.names, (mean, deviation), strict=True)), self.size, about=about)

    def _refusal(self, real: int, generated: int) -> str:
        if self.size <= self.dimension:
            return f"{self.size} images a draw; with features of dimension {self.dimension} more are needed than that"
        if generated < 2 * self.size:
            return f"{generated} images; draws of {self.size} need at least {2 * self.size}"
        if real <= self.dimension:
            return f"{real} real images; a Fréchet distance here needs at least {self.dimension + 1}"
        return ""
