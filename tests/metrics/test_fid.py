import numpy as np
import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from frido.metrics.features.base import Features
from frido.metrics.fid import FID, frechet_distance


def features(count: int, dimension: int, seed: int, scale: float = 1.0) -> Features:
    random = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimension, dimension, generator=random)
    rows = scale * torch.randn(count, dimension, generator=random) @ mixing + 3.0
    return Features(rows, torch.zeros(count, 2))


def test_distance_between_axis_aligned_gaussians_is_the_sum_over_axes():
    mean_1, deviation_1 = np.array([0.0, 1.0, -2.0]), np.array([1.0, 2.0, 0.5])
    mean_2, deviation_2 = np.array([3.0, 1.0, -1.0]), np.array([2.0, 0.5, 0.5])
    expected = ((mean_1 - mean_2) ** 2 + (deviation_1 - deviation_2) ** 2).sum()  # Wasserstein-2, one by one
    distance = frechet_distance(mean_1, np.diag(deviation_1**2), mean_2, np.diag(deviation_2**2))
    assert distance == pytest.approx(expected, rel=1e-12)


def test_distance_does_not_change_under_rotation():
    random = np.random.default_rng(0)
    rotation = np.linalg.qr(random.normal(size=(4, 4)))[0]
    means, spreads = random.normal(size=(2, 4)), [np.diag(random.uniform(0.1, 2, 4)) for _ in range(2)]
    straight = frechet_distance(means[0], spreads[0], means[1], spreads[1])
    turned = [rotation @ spread @ rotation.T for spread in spreads]
    assert frechet_distance(means[0] @ rotation.T, turned[0], means[1] @ rotation.T, turned[1]) == pytest.approx(
        straight
    )


@pytest.mark.parametrize("dimension", [4, 48])
def test_equals_torch_fidelity(dimension):
    real, generated = features(300, dimension, 0), features(300, dimension, 1, scale=0.7)
    metric = FID(minimum=100, dimension=dimension, classes=2)
    metric.update(real, generated)
    sides = (fid_features_to_statistics(side.features.double()) for side in (real, generated))
    expected = fid_statistics_to_metric(*sides, verbose=False)["frechet_inception_distance"]
    assert metric.compute().numbers["fid"] == pytest.approx(expected, rel=1e-6)


def test_batches_of_any_length_give_one_number():
    real, generated = features(210, 8, 0), features(210, 8, 1)
    whole, pieces = (FID(minimum=100, dimension=8, classes=2) for _ in range(2))
    whole.update(real, generated)
    for rows in torch.arange(210).split(64):  # the last one is short
        pieces.update(
            Features(real.features[rows], real.logits[rows]), Features(generated.features[rows], generated.logits[rows])
        )
    assert pieces.compute().images == 210
    assert pieces.compute().numbers["fid"] == pytest.approx(whole.compute().numbers["fid"], rel=1e-9)


def test_no_distance_to_itself_and_a_far_one_when_moved():
    real = features(200, 8, 0)
    metric = FID(minimum=100, dimension=8, classes=2)
    metric.update(real, real)
    assert metric.compute().numbers["fid"] == pytest.approx(0, abs=1e-4)
    moved = FID(minimum=100, dimension=8, classes=2)
    moved.update(real, Features(real.features + 2.0, real.logits))
    assert moved.compute().numbers["fid"] == pytest.approx(8 * 4.0, rel=1e-4)


@pytest.mark.parametrize(("count", "dimension", "needed"), [(4, 8, 100), (99, 8, 100), (150, 150, 151)])
def test_too_few_images_are_refused(count, dimension, needed):
    metric = FID(minimum=100, dimension=dimension, classes=2)
    metric.update(features(count, dimension, 0), features(count, dimension, 1))
    outcome = metric.compute()
    assert outcome.numbers == {}
    assert str(needed) in outcome.refusal
