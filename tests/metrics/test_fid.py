import numpy as np
import pytest
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from frido.metrics.fid import FID, frechet_distance
from frido.metrics.frechet_to import FrechetTo
from tests.metrics.rows import features, gaussian


def distance(real, generated, **settings) -> float:
    metric = FID(name="fid", minimum=100, dimension=real.features.shape[1], classes=2, **settings)
    return metric.compute(real=real, generated=generated).numbers["fid"]


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
    real, generated = gaussian(300, dimension, 0), gaussian(320, dimension, 1, scale=0.7)
    sides = (fid_features_to_statistics(side.features.double()) for side in (real, generated))
    expected = fid_statistics_to_metric(*sides, verbose=False)["frechet_inception_distance"]
    assert distance(real, generated) == pytest.approx(expected, rel=1e-9)


def test_the_fast_way_to_many_distances_gives_the_same():
    real, generated = gaussian(300, 48, 0), gaussian(320, 48, 1, scale=0.7)
    assert FrechetTo(real.features)(generated.features) == pytest.approx(distance(real, generated), rel=1e-9)


def test_no_distance_to_itself_and_a_far_one_when_moved():
    real = gaussian(200, 8, 0)
    assert distance(real, real) == pytest.approx(0, abs=1e-4)
    assert distance(real, features(real.features + 2.0)) == pytest.approx(8 * 4.0, rel=1e-4)


@pytest.mark.parametrize(("count", "dimension", "needed"), [(4, 8, 100), (99, 8, 100), (150, 150, 151)])
@pytest.mark.parametrize("few", ["real", "generated"])
def test_too_few_images_are_refused(count, dimension, needed, few):
    sides = {side: gaussian(count if side == few else 200, dimension, 0) for side in ("real", "generated")}
    outcome = FID(name="fid", minimum=100, dimension=dimension, classes=2).compute(**sides)
    assert outcome.numbers == {}
    assert f"{count} images" in outcome.refusal and str(needed) in outcome.refusal
