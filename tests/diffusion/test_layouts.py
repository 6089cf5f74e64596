"""Layouts give back what they were given."""

import pytest
import torch

from frido.diffusion.layouts.stacked import Stacked
from tests.denoisers import options

OWN = [(2, 4, 4), (3, 8, 8), (1, 16, 16)]
PYRAMID = tuple(torch.randn(2, *shape) for shape in OWN)


@pytest.fixture(params=options.names("diffusion/layout"))
def layout(request):
    return options.build("diffusion/layout", request.param)


def test_round_trip(layout):
    arranged = layout.arrange(PYRAMID)
    assert [tuple(latent.shape[1:]) for latent in arranged] == layout.shapes(OWN)
    for back, latent in zip(layout.restore(arranged, own=OWN), PYRAMID, strict=True):
        torch.testing.assert_close(back, latent, atol=1e-6, rtol=0)


def test_conditions_are_on_the_grid_of_their_scale(layout):
    arranged = layout.arrange(PYRAMID)
    for scale in range(len(OWN)):
        coarse = layout.coarse(arranged[:scale], own=OWN)
        assert [latent.shape[1] for latent in coarse] == [2, 3][:scale]
        assert all(latent.shape[2:] == arranged[scale].shape[2:] for latent in coarse)


def test_settling_an_arranged_pyramid_changes_nothing(layout):
    for scale, latent in enumerate(layout.arrange(PYRAMID)):
        torch.testing.assert_close(layout.settle(latent, scale=scale, own=OWN), latent, atol=1e-6, rtol=0)


def test_stacked_settles_by_averaging_coarse_cells():
    chain_end = torch.randn(2, 2, 16, 16)
    settled = Stacked().settle(chain_end, scale=0, own=OWN)
    torch.testing.assert_close(settled[:, :, :4, :4], chain_end[:, :, :4, :4].mean((2, 3), True).expand(-1, -1, 4, 4))
    assert torch.equal(Stacked().settle(chain_end, scale=2, own=OWN), chain_end)
