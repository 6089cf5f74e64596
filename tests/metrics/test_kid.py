import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

from frido.metrics.kid import KID, squared_mmd
from tests.metrics.rows import features, gaussian


def outcome(real, generated, *, subsets=20, subset_size=40):
    metric = KID(subsets=subsets, subset_size=subset_size, seed=2020, dimension=16, classes=2)
    return metric.compute(real=real, generated=generated)


def test_three_rows_by_hand():
    """In one dimension the kernel is (xy + 1)^3: 8 within ones, 1 with a zero, 0 between 1 and -1."""
    ones, mixed = np.ones((3, 1), np.float32), np.array([[1], [0], [-1]], np.float32)
    within_mixed = (1 + 0 + 1) * 2 / 6  # 1 with 0, 1 with -1, 0 with -1; each both ways
    between = (8 + 1 + 0) * 3 / 9
    assert squared_mmd(ones, mixed) == pytest.approx(8 + within_mixed - 2 * between)


@pytest.mark.parametrize("counts", [(130, 130), (90, 170)])
def test_equals_torch_fidelity(counts):
    real, generated = gaussian(counts[0], 16, 0), gaussian(counts[1], 16, 1, scale=0.7)
    settings = {"kid_subsets": 20, "kid_subset_size": 40, "rng_seed": 2020, "verbose": False}
    expected = kid_features_to_metric(generated.features, real.features, **settings)
    numbers = outcome(real, generated).numbers
    assert numbers["kid"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-6)
    assert numbers["kid_std"] == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-6)


def test_equal_distributions_are_near_zero_on_either_side():
    random = torch.Generator().manual_seed(0)
    found = [
        outcome(*(features(torch.randn(200, 16, generator=random)) for _ in range(2)), subset_size=200, subsets=1)
        for _ in range(8)
    ]
    values = [each.numbers["kid"] for each in found]
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 0.01
    moved = outcome(gaussian(200, 16, 0), gaussian(200, 16, 0, shift=4.0)).numbers["kid"]
    assert moved > 10 * max(values)


def test_fewer_images_than_a_subset_are_refused():
    told = outcome(gaussian(39, 16, 0), gaussian(100, 16, 1))
    assert told.numbers == {}
    assert "39 images" in told.refusal and "40" in told.refusal
