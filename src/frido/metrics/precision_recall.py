"""Precision and recall of distributions: are the generated images real ones, and are all real ones generated?"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from frido.metrics.features.base import Features
from frido.metrics.statistic import FeatureStatistic, Outcome

ROWS = 1000
"""Rows of a matrix of distances that are in memory at once; changes no number."""


def radii(rows: Float[Tensor, "rows d"], *, neighbours: int) -> Float[Tensor, "rows"]:
    """Return of each row the distance to its k-th nearest neighbour among the others."""
    # The row itself is the nearest of all.
    return torch.cat([part.kthvalue(neighbours + 1, dim=1).values for part in _distances(rows, rows)])


def covered(
    rows: Float[Tensor, "rows d"], centres: Float[Tensor, "centres d"], radius: Float[Tensor, "centres"]
) -> Bool[Tensor, "rows"]:
    """Return which rows lie in the ball around one of the centres."""
    return torch.cat([(part <= radius).any(dim=1) for part in _distances(rows, centres)])


class PrecisionRecall(FeatureStatistic):
    """Precision, recall and their harmonic mean (Kynkäänniemi et al., 2019, equation 1), as torch-fidelity has them.

    Precision is the share of generated rows that lie in a ball around a real one with its k-th neighbour on the rim;
    recall the share of real rows in such balls around generated ones. Both fall and rise with the number of rows.

    Args:
        neighbours: The k; 3 in the paper.
        minimum: Fewer images than this give no number.
        dimension: Of the features, which it does not use.
        classes: Of the logits, which it does not use.
    """

    names = ("precision", "recall", "f_score")

    def __init__(self, *, neighbours: int, minimum: int, dimension: int, classes: int) -> None:
        self.neighbours, self.minimum = neighbours, max(minimum, neighbours + 1)

    def compute(self, *, real: Features, generated: Features) -> Outcome:
        one, other = generated.features, real.features
        least = min(len(one), len(other))
        if least < self.minimum:
            return Outcome({}, len(one), f"{least} images; precision and recall here need at least {self.minimum}")
        precision = covered(one, other, radii(other, neighbours=self.neighbours)).double().mean().item()
        recall = covered(other, one, radii(one, neighbours=self.neighbours)).double().mean().item()
        # Without any precision and recall their mean is 0; so is torch-fidelity's.
        f_score = 2 * precision * recall / max(precision + recall, 1e-5)
        numbers = {"precision": precision, "recall": recall, "f_score": f_score}
        return Outcome(numbers, len(one), about={"neighbours": self.neighbours})


def _distances(rows: Tensor, others: Tensor) -> Iterator[Tensor]:
    for part in rows.split(ROWS):
        yield torch.cdist(part, others)
