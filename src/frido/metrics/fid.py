"""Fréchet distance between Gaussians fitted to features."""

import numpy as np
from jaxtyping import Float, Float64
from torch import Tensor

from frido.metrics.features.base import Features
from frido.metrics.statistic import FeatureStatistic, Outcome


def frechet_distance(
    mean_1: Float64[np.ndarray, "d"],
    cov_1: Float64[np.ndarray, "d d"],
    mean_2: Float64[np.ndarray, "d"],
    cov_2: Float64[np.ndarray, "d d"],
) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Heusel et al., 2017, equation 6).

    The trace of the root is the sum of the roots of the eigenvalues of C1 C2, as torch-fidelity takes it.
    """
    difference = mean_1 - mean_2
    root_trace = np.sqrt(np.linalg.eigvals(cov_1 @ cov_2).astype(np.complex128)).real.sum()
    return float(difference @ difference + np.trace(cov_1) + np.trace(cov_2) - 2 * root_trace)


def gaussian(
    features: Float[Tensor, "images d"],
) -> tuple[Float64[np.ndarray, "d"], Float64[np.ndarray, "d d"]]:
    """Return mean and covariance (n - 1) of rows, in float64; equal rows in equal order give equal bits."""
    rows = features.double().numpy()
    return rows.mean(axis=0), np.cov(rows, rowvar=False)


class FID(FeatureStatistic):
    """Fréchet distance between features of real and of generated images.

    Args:
        name: Of the number: fid, or fd where features other than Inception's are the point (Stein et al., 2023).
        minimum: Fewer images than this give no number; nor do `dimension` or fewer, whose covariance is singular.
        dimension: Of the features.
        classes: Of the logits, which it does not use.
    """

    def __init__(self, *, name: str, minimum: int, dimension: int, classes: int) -> None:
        self.names = (name,)
        self.minimum = max(minimum, dimension + 1)

    def compute(self, *, real: Features, generated: Features) -> Outcome:
        count = len(generated.positions)
        least = min(count, len(real.positions))
        if least < self.minimum:
            return Outcome({}, count, f"{least} images; a Fréchet distance here needs at least {self.minimum}")
        distance = frechet_distance(*gaussian(real.features), *gaussian(generated.features))
        return Outcome({self.names[0]: distance}, count)
