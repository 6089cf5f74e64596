"""Fréchet distance as it would be with infinitely many generated images."""

import numpy as np

from frido.metrics.features.base import Features
from frido.metrics.frechet_to import FrechetTo
from frido.metrics.statistic import FeatureStatistic, Outcome


class ExtrapolatedFID(FeatureStatistic):
    """Where the line through distances over 1/n meets 1/n = 0 (Chong & Forsyth, 2020, section 3).

    A distance at n images is biased by a term in 1/n that depends on the model, so that models compared at equal n
    can come in the wrong order. Of the generated images, samples of sizes between `smallest` and all are drawn,
    evenly spaced, each without repeats and against all real images; a least-squares line does the rest.
    The bias of the real images' finite number stays.

    Args:
        name: Of the number.
        smallest: Size of the smallest sample, images; more than the features have dimensions.
        points: Sizes on the line; at least 3. The paper's is 15.
        seed: Of the samples.
        dimension: Of the features.
        classes: Of the logits, which it does not use.
    """

    def __init__(self, *, name: str, smallest: int, points: int, seed: int, dimension: int, classes: int) -> None:
        self.names = (name,)
        self.smallest, self.points, self.seed, self.dimension = smallest, points, seed, dimension

    def compute(self, *, real: Features, generated: Features) -> Outcome:
        count = len(generated.positions)
        if refusal := self._refusal(len(real.positions), count):
            return Outcome({}, count, refusal)
        random, distance = np.random.default_rng(self.seed), FrechetTo(real.features)
        sizes = np.linspace(self.smallest, count, self.points).round().astype(int)
        distances = [distance(generated.features[random.choice(count, size, replace=False)]) for size in sizes]
        slope, at_infinity = np.polyfit(1 / sizes, distances, deg=1)
        about = {"smallest": self.smallest, "points": self.points, "draw_seed": self.seed, "slope": float(slope)}
        return Outcome({self.names[0]: float(at_infinity)}, count, about=about)

    def _refusal(self, real: int, generated: int) -> str:
        if self.smallest <= self.dimension:
            return f"samples of {self.smallest}; with features of dimension {self.dimension} more are needed than that"
        if generated < 2 * self.smallest:
            return f"{generated} images; a line from {self.smallest} on needs at least {2 * self.smallest}"
        if real <= self.dimension:
            return f"{real} real images; a Fréchet distance here needs at least {self.dimension + 1}"
        return ""
