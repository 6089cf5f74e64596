"""Fréchet distance between Gaussians fitted to features."""

import numpy as np
import torch
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


class FID(FeatureStatistic):
    """Fréchet distance of features, from float64 sums: mean and covariance (n - 1) of both sides.

    Args:
        minimum: Fewer images than this give no number; nor do `dimension` or fewer, whose covariance is singular.
        dimension: Of the features.
        classes: Of the logits, which it does not use.
    """

    names = ("fid",)
    full_state_update = False
    real_count: Tensor
    generated_count: Tensor

    def __init__(self, *, minimum: int, dimension: int, classes: int) -> None:
        super().__init__()
        self.minimum = max(minimum, dimension + 1)
        for side in ("real", "generated"):
            self.add_state(f"{side}_count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
            self.add_state(f"{side}_sum", torch.zeros(dimension, dtype=torch.float64), dist_reduce_fx="sum")
            self.add_state(
                f"{side}_square", torch.zeros(dimension, dimension, dtype=torch.float64), dist_reduce_fx="sum"
            )

    def update(self, real: Features, generated: Features) -> None:
        for side, rows in (("real", real), ("generated", generated)):
            x = rows.features.double().to(self.device)
            setattr(self, f"{side}_count", getattr(self, f"{side}_count") + len(x))
            setattr(self, f"{side}_sum", getattr(self, f"{side}_sum") + x.sum(0))
            setattr(self, f"{side}_square", getattr(self, f"{side}_square") + x.T @ x)

    def compute(self) -> Outcome:
        count = int(self.generated_count)
        if min(count, int(self.real_count)) < self.minimum:
            return Outcome({}, count, f"{count} images; a Fréchet distance here needs at least {self.minimum}")
        real, generated = (self._gaussian(side) for side in ("real", "generated"))
        return Outcome({"fid": frechet_distance(*real, *generated)}, count)

    def _gaussian(self, side: str) -> tuple[np.ndarray, np.ndarray]:
        count, total, square = (getattr(self, f"{side}_{name}") for name in ("count", "sum", "square"))
        mean: Float[Tensor, "d"] = total / count
        covariance = (square - count * torch.outer(mean, mean)) / (count - 1)
        return mean.cpu().numpy(), covariance.cpu().numpy()
