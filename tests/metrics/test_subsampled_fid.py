import pytest
import torch

from frido.metrics.fid import FID
from frido.metrics.subsampled_fid import SubsampledFID
from tests.metrics.rows import features

REAL = features(torch.randn(4000, 8, generator=torch.Generator().manual_seed(0)))


def outcome(generated, *, size: int, draws: int = 10, seed: int = 0, real=REAL):
    metric = SubsampledFID(name="fid_subsampled", size=size, draws=draws, seed=seed, dimension=8, classes=2)
    return metric.compute(real=real, generated=generated)


def rows(count: int, seed: int):
    return features(torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)))


def test_it_is_the_distance_at_the_size_of_a_draw():
    """As fresh images of that number have it. Draws with repeats would have half as much again."""
    plain = FID(name="fid", minimum=1, dimension=8, classes=2)
    fresh = [plain.compute(real=REAL, generated=rows(100, seed)).numbers["fid"] for seed in range(1, 201)]
    drawn = [outcome(rows(200, seed), size=100).numbers["fid_subsampled"] for seed in range(201, 241)]
    assert sum(drawn) / len(drawn) == pytest.approx(sum(fresh) / len(fresh), rel=0.07)


def test_its_deviation_is_that_of_fresh_images():
    plain = FID(name="fid", minimum=1, dimension=8, classes=2)
    fresh = [plain.compute(real=REAL, generated=rows(100, seed)).numbers["fid"] for seed in range(1, 201)]
    told = outcome(rows(10_000, 0), size=100, draws=200)
    assert told.numbers["fid_subsampled_std"] == pytest.approx(float(torch.tensor(fresh).std()), rel=0.2)
    assert told.images == 100, "its name says the size of a draw"


def test_a_seed_is_a_set_of_draws():
    generated = rows(400, 1)
    assert outcome(generated, size=100).numbers == outcome(generated, size=100).numbers
    assert outcome(generated, size=100, seed=1).numbers != outcome(generated, size=100).numbers


@pytest.mark.parametrize(("size", "why"), [(8, "dimension 8"), (101, "at least 202")])
def test_sizes_that_mean_nothing_are_refused(size, why):
    told = outcome(rows(200, 1), size=size)
    assert told.numbers == {} and why in told.refusal and told.images == size


def test_too_few_real_images_are_refused():
    assert "8 real images" in outcome(rows(200, 1), size=100, real=rows(8, 2)).refusal
