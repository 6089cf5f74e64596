"""Teacher forcing."""

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.diffusion.noising.constant_mix import ConstantMix
from frido.diffusion.noising.none import NoNoise
from frido.diffusion.noising.sampled_level import SampledLevel
from frido.diffusion.noising.variance_preserving import VariancePreserving
from tests.denoisers import options

COARSE = (torch.randn(64, 3, 4, 4), torch.randn(64, 1, 8, 8))
NOISE = tuple(torch.randn_like(latent) for latent in COARSE)
DRAW = torch.rand(64, dtype=torch.float64)


@pytest.fixture(params=options.names("diffusion/teacher_forcing"))
def forcing(request):
    return options.build("diffusion/teacher_forcing", request.param)


def test_keeps_shapes_and_accepts_nothing(forcing):
    for forced in (forcing.train(COARSE, NOISE, DRAW), forcing.sample(COARSE, NOISE)):
        assert [latent.shape for latent in forced.coarse] == [latent.shape for latent in COARSE]
        assert all(latent.dtype == torch.float32 for latent in forced.coarse)
    assert forcing.train((), (), DRAW) == forcing.sample((), ()) == ((), None)


def test_tells_the_level_as_it_says(forcing):
    for forced in (forcing.train(COARSE, NOISE, DRAW), forcing.sample(COARSE, NOISE)):
        assert (forced.level is not None) == forcing.tells_level
        if forced.level is not None:
            assert forced.level.shape == (64,) and forced.level.dtype == torch.float32
            assert (forced.level >= 0).all() and (forced.level <= 1).all()


def test_mixes_a_tenth_of_noise():
    mixed = ConstantMix(tau=0.1, sampling_tau=0.0).train(COARSE, NOISE, DRAW).coarse
    for latent, clean, noise in zip(mixed, COARSE, NOISE, strict=True):
        torch.testing.assert_close(latent, 0.9 * clean + 0.1 * noise)


@pytest.mark.parametrize(
    "clean",
    [
        NoNoise(),
        ConstantMix(tau=0.1, sampling_tau=0.0),
        VariancePreserving(level=0.3, sampling_level=0.0),
        SampledLevel(largest=0.3, sampling_level=0.0),
    ],
)
def test_sampling_may_show_clean_latents(clean):
    for latent, true in zip(clean.sample(COARSE, NOISE).coarse, COARSE, strict=True):
        assert torch.equal(latent, true)


@pytest.mark.parametrize(
    "same",
    [
        NoNoise(),
        ConstantMix(tau=0.3, sampling_tau=0.3),
        VariancePreserving(level=0.3, sampling_level=0.3),
    ],
)
def test_sampling_may_show_what_training_showed(same):
    pairs = zip(same.sample(COARSE, NOISE).coarse, same.train(COARSE, NOISE, DRAW).coarse, strict=True)
    assert all(torch.equal(sampled, trained) for sampled, trained in pairs)


@pytest.mark.parametrize(
    "preserving", [VariancePreserving(level=0.8, sampling_level=0.8), SampledLevel(largest=1.0, sampling_level=0.8)]
)
def test_unit_variance_is_kept(preserving):
    clean, noise = (torch.randn(4096, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    for forced in (preserving.train((clean,), (noise,), torch.rand(4096)), preserving.sample((clean,), (noise,))):
        assert forced.coarse[0].std().item() == pytest.approx(1, abs=0.01)


def test_level_is_the_standard_deviation_of_the_noise():
    fixed = VariancePreserving(level=0.6, sampling_level=0.0).train(COARSE, NOISE, DRAW)
    torch.testing.assert_close(fixed.coarse[1], 0.8 * COARSE[1] + 0.6 * NOISE[1])


def test_sampled_level_is_the_one_that_is_told():
    """One for all coarser scales of a sample, uniform up to the largest, and fixed in sampling."""
    forcing = SampledLevel(largest=0.5, sampling_level=0.2)
    trained = forcing.train(COARSE, NOISE, DRAW)
    torch.testing.assert_close(trained.level, 0.5 * DRAW.float())
    level = trained.level.view(-1, 1, 1, 1)
    for latent, clean, noise in zip(trained.coarse, COARSE, NOISE, strict=True):
        torch.testing.assert_close(latent, (1 - level**2).sqrt() * clean + level * noise)
    sampled = forcing.sample(COARSE, NOISE)
    assert (sampled.level == 0.2).all()
    torch.testing.assert_close(sampled.coarse[0], 0.96**0.5 * COARSE[0] + 0.2 * NOISE[0])


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: VariancePreserving(level=1.5, sampling_level=0.0), "level"),
        (lambda: VariancePreserving(level=0.5, sampling_level=-0.1), "sampling_level"),
        (lambda: SampledLevel(largest=2.0, sampling_level=0.0), "largest"),
        (lambda: SampledLevel(largest=0.1, sampling_level=0.9), "sampling_level"),
        (lambda: ConstantMix(tau=3.0, sampling_tau=0.0), "tau"),
    ],
)
def test_levels_beyond_pure_noise_are_refused(make, name):
    with pytest.raises(FridoError, match=rf"diffusion\.teacher_forcing\.{name}"):
        make()
