import pytest
import torch

from frido.metrics.fid import FID
from frido.metrics.subsampled_fid import SubsampledFID
from tests.metrics.rows import features

REAL = features(torch.randn(4000, 8, generator=torch.Generator().manual_seed(0)))
GENERATED = features(torch.randn(2000, 8, generator=torch.Generator().manual_seed(1)))


def outcome(*, size: int, draws: int = 30, seed: int = 0, real=REAL, generated=GENERATED):
    metric = SubsampledFID(name="fid_subsampled", size=size, draws=draws, seed=seed, dimension=8, classes=2)
    return metric.compute(real=real, generated=generated)


def test_it_is_the_distance_at_the_size_that_its_name_says():
    """Fresh images of another seed have the distances that draws without repeats predict; all images, a smaller one."""
    told = outcome(size=200)
    assert told.images == 200
    fresh = torch.randn(40, 200, 8, generator=torch.Generator().manual_seed(2))
    single = FID(name="fid", minimum=1, dimension=8, classes=2)
    distances = torch.tensor([single.compute(real=REAL, generated=features(r)).numbers["fid"] for r in fresh])
    assert told.numbers["fid_subsampled"] == pytest.approx(float(distances.mean()), rel=0.1)
    assert told.numbers["fid_subsampled_std"] == pytest.approx(float(distances.std()), rel=0.35)
    whole = single.compute(real=REAL, generated=GENERATED).numbers["fid"]
    assert whole < 0.5 * told.numbers["fid_subsampled"]


def test_no_image_comes_twice_in_a_draw():
    """Two thousand rows with repeats would have another distance than the rows themselves."""
    once = features(GENERATED.features[:1000])
    twice = features(GENERATED.features[:1000].repeat(2, 1))
    drawn = outcome(size=1000, draws=2, generated=twice).numbers["fid_subsampled"]
    single = FID(name="fid", minimum=1, dimension=8, classes=2)
    assert drawn > single.compute(real=REAL, generated=once).numbers["fid"], "repeats in the images do cost"
    assert outcome(size=500, generated=once).numbers == outcome(size=500, generated=once).numbers
    assert outcome(size=500, seed=1).numbers != outcome(size=500, seed=0).numbers


@pytest.mark.parametrize(("size", "why"), [(8, "dimension 8"), (1001, "at least 2002")])
def test_sizes_that_mean_nothing_are_refused(size, why):
    told = outcome(size=size)
    assert told.numbers == {} and why in told.refusal and told.images == size


def test_too_few_real_images_are_refused():
    assert "8 real images" in outcome(size=100, real=features(REAL.features[:8])).refusal
