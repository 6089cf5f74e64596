"""Teacher forcing."""

import pytest
import torch

from frido.diffusion.noising.constant_mix import ConstantMix
from tests.denoisers import options

COARSE = (torch.randn(2, 3, 4, 4), torch.randn(2, 1, 8, 8))
NOISE = tuple(torch.randn_like(latent) for latent in COARSE)


@pytest.mark.parametrize("name", options.names("diffusion/teacher_forcing"))
def test_keeps_shapes_and_accepts_nothing(name):
    forcing = options.build("diffusion/teacher_forcing", name)
    assert [latent.shape for latent in forcing(COARSE, NOISE)] == [latent.shape for latent in COARSE]
    assert forcing((), ()) == ()


def test_mixes_a_tenth_of_noise():
    mixed = ConstantMix(tau=0.1)(COARSE, NOISE)
    for latent, clean, noise in zip(mixed, COARSE, NOISE, strict=True):
        torch.testing.assert_close(latent, 0.9 * clean + 0.1 * noise)
    assert torch.equal(ConstantMix(tau=0.0)(COARSE, NOISE)[0], COARSE[0])
