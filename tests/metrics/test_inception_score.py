import pytest
import torch
from torch_fidelity.metric_isc import isc_features_to_metric

from frido.metrics.features.base import Features
from frido.metrics.inception_score import InceptionScore, inception_score
from tests.metrics.rows import features

TEN = {"splits": 10, "shuffle_seed": 2020}


def rows(count: int, seed: int) -> Features:
    random = torch.Generator().manual_seed(seed)
    return features(torch.zeros(count, 4), 3 * torch.randn(count, 12, generator=random))


def test_undecided_classifier_scores_one():
    assert inception_score(torch.zeros(200, 12), **TEN) == pytest.approx((1.0, 0.0), abs=1e-12)


def test_sure_and_even_classifier_scores_the_number_of_classes():
    logits = 100 * torch.eye(12).repeat(100, 1)
    assert inception_score(logits, splits=1, shuffle_seed=2020)[0] == pytest.approx(12.0)


@pytest.mark.parametrize("count", [100, 333])
def test_equals_torch_fidelity(count):
    logits = rows(count, 0).logits
    expected = isc_features_to_metric(logits)
    mean, deviation = inception_score(logits, **TEN)
    assert mean == pytest.approx(expected["inception_score_mean"], rel=1e-6)
    assert deviation == pytest.approx(expected["inception_score_std"], rel=1e-6)


def test_both_sides_are_scored():
    real, generated = rows(130, 0), rows(140, 1)
    numbers, images, _, _ = InceptionScore(**TEN, minimum=100, dimension=4, classes=12).compute(
        real=real, generated=generated
    )
    assert images == 140
    assert (numbers["is"], numbers["is_std"]) == inception_score(generated.logits, **TEN)
    assert numbers["is_real"] == inception_score(real.logits, **TEN)[0]


def test_too_few_images_are_refused():
    outcome = InceptionScore(**TEN, minimum=100, dimension=4, classes=12).compute(real=rows(4, 0), generated=rows(4, 1))
    assert outcome.numbers == {}
    assert "100" in outcome.refusal
