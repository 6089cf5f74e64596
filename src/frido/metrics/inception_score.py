"""Inception Score: how sure a classifier is of each image, and how varied it finds them all."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from frido.metrics.features.base import Features
from frido.metrics.statistic import FeatureStatistic, Outcome


def inception_score(logits: Float[Tensor, "images classes"], *, splits: int, shuffle_seed: int) -> tuple[float, float]:
    """Return mean and biased standard deviation over splits of exp(E[KL(p(y|x) || p(y))]).

    Salimans et al. (2016), section 4, in float64, after torch-fidelity's shuffle.
    """
    order = np.random.RandomState(shuffle_seed).permutation(len(logits))
    log_p = logits[torch.from_numpy(order)].double().log_softmax(1)
    scores = []
    for i in range(splits):
        part = log_p[i * len(log_p) // splits : (i + 1) * len(log_p) // splits]
        divergence = part.exp() * (part - part.exp().mean(0, keepdim=True).log())
        scores.append(divergence.sum(1).mean().exp().item())
    return float(np.mean(scores)), float(np.std(scores))


class InceptionScore(FeatureStatistic):
    """Inception Score of the generated images, and of the real ones as its yardstick.

    Args:
        splits: Parts over which mean and deviation are taken; 10 in every published number.
        shuffle_seed: Of the shuffle before splitting; torch-fidelity's is 2020.
        minimum: Fewer images than this give no number.
        dimension: Of the features, which it does not use.
        classes: Of the logits.
    """

    names = ("is", "is_std", "is_real")

    def __init__(self, *, splits: int, shuffle_seed: int, minimum: int, dimension: int, classes: int) -> None:
        self.splits, self.shuffle_seed, self.minimum = splits, shuffle_seed, max(minimum, splits)

    def compute(self, *, real: Features, generated: Features) -> Outcome:
        count = len(generated.positions)
        least = min(count, len(real.positions))
        if least < self.minimum:
            return Outcome({}, count, f"{least} images; an Inception Score here needs at least {self.minimum}")
        mean, deviation = inception_score(generated.logits, splits=self.splits, shuffle_seed=self.shuffle_seed)
        of_real, _ = inception_score(real.logits, splits=self.splits, shuffle_seed=self.shuffle_seed)
        return Outcome({"is": mean, "is_std": deviation, "is_real": of_real}, count)
