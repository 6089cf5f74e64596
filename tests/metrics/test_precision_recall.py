import pytest
import torch
from torch_fidelity.metric_prc import prc_features_to_metric

from frido.metrics import precision_recall
from frido.metrics.precision_recall import PrecisionRecall
from tests.metrics.rows import features, gaussian


def numbers(real, generated, *, neighbours=3, minimum=1) -> dict[str, float]:
    metric = PrecisionRecall(neighbours=neighbours, minimum=minimum, dimension=2, classes=2)
    return metric.compute(real=real, generated=generated).numbers


def test_a_generator_that_shows_half_of_the_world():
    """Two clusters are real, one is generated, with a row of its own that is nowhere."""
    cluster = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    real = torch.cat([cluster, cluster + 100])
    generated = torch.cat([cluster + 0.1, torch.tensor([[50.0, 50]])])
    found = numbers(features(real), features(generated), neighbours=1)
    assert found["precision"] == pytest.approx(4 / 5)
    # The ball around the row that is nowhere reaches to the cluster, not beyond.
    assert found["recall"] == pytest.approx(4 / 8)
    assert found["f_score"] == pytest.approx(2 * 0.8 * 0.5 / 1.3)


@pytest.mark.parametrize("rows", [30, 1000])
def test_equals_torch_fidelity_in_pieces_of_any_length(rows, monkeypatch):
    monkeypatch.setattr(precision_recall, "ROWS", rows)
    real, generated = gaussian(250, 12, 0), gaussian(310, 12, 0, scale=0.7, shift=4.5)
    settings = {"prc_neighborhood": 3, "prc_batch_size": 10000, "save_cpu_ram": False, "verbose": False}
    expected = prc_features_to_metric(generated.features, real.features, **settings)
    assert 0 < expected["precision"] != expected["recall"] < 1
    assert numbers(real, generated) == pytest.approx(expected, rel=1e-6)


def test_nothing_in_common_is_zero():
    found = numbers(gaussian(50, 3, 0), gaussian(50, 3, 0, shift=1000.0))
    assert found == {"precision": 0.0, "recall": 0.0, "f_score": 0.0}


def test_too_few_images_are_refused():
    assert numbers(gaussian(9, 3, 0), gaussian(50, 3, 0), minimum=10) == {}
    assert numbers(gaussian(3, 3, 0), gaussian(50, 3, 0)) == {}, "a ball with three neighbours needs four rows"
