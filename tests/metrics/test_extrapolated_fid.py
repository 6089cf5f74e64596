import pytest
import torch

from frido.metrics.extrapolated_fid import ExtrapolatedFID
from frido.metrics.fid import FID
from tests.metrics.rows import features

DIMENSION = 12


def outcome(real, generated, *, smallest: int = 200):
    metric = ExtrapolatedFID(name="fid_infinity", smallest=smallest, points=15, seed=0, dimension=DIMENSION, classes=2)
    return metric.compute(real=real, generated=generated)


def test_the_bias_of_few_images_is_gone():
    """The true distance is 0.25: a mean moved by 0.5 along one axis."""
    random = torch.Generator().manual_seed(0)
    real = features(torch.randn(100_000, DIMENSION, generator=random))
    shift = torch.zeros(DIMENSION)
    shift[0] = 0.5
    generated = features(torch.randn(3000, DIMENSION, generator=random) + shift)
    plain = FID(name="fid", minimum=1, dimension=DIMENSION, classes=2)
    fewest = plain.compute(real=real, generated=generated.at(torch.arange(200))).numbers["fid"]
    told = outcome(real, generated)
    assert told.numbers["fid_infinity"] == pytest.approx(0.25, abs=0.03)
    assert fewest > 0.25 + 0.1, "which 200 images alone have too much"
    assert told.about["slope"] > 0
    assert told.images == 3000


@pytest.mark.parametrize(("smallest", "why"), [(12, "dimension 12"), (300, "at least 600")])
def test_lines_that_mean_nothing_are_refused(smallest, why):
    rows = features(torch.randn(500, DIMENSION))
    told = outcome(rows, rows, smallest=smallest)
    assert told.numbers == {} and why in told.refusal
