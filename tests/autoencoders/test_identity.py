"""Images as their own latents."""

import pytest
import torch
from einops import reduce

from frido.autoencoders.identity import Identity
from frido.contracts.errors import FridoError

IMAGES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_image_alone_is_exact():
    model = Identity(factors=[1], seed=0)
    (latents,) = model.encode(IMAGES)
    assert torch.equal(latents, IMAGES)
    assert torch.equal(model.decode((latents,)), IMAGES)
    assert torch.equal(model(IMAGES).images, IMAGES)


def test_coarse_scales_are_averages_over_squares():
    coarse, fine = Identity(factors=[4, 1], seed=0).encode(IMAGES)
    torch.testing.assert_close(coarse, reduce(IMAGES, "b c (h y) (w x) -> b c h w", "mean", y=4, x=4))
    assert torch.equal(fine, IMAGES)


def test_only_the_finest_scale_is_decoded():
    model = Identity(factors=[8, 2], seed=0)
    model.calibrate([IMAGES])
    coarse, fine = model.encode(IMAGES)
    made = model.decode((coarse * 0, fine))
    assert torch.equal(made, model.decode((coarse, fine)))
    assert made.shape == IMAGES.shape
    torch.testing.assert_close(
        made[:, :, ::2, ::2], reduce(IMAGES, "b c (h y) (w x) -> b c h w", "mean", y=2, x=2), atol=1e-6, rtol=1e-5
    )


def test_each_scale_alone():
    model = Identity(factors=[4, 1], seed=0)
    made = model(IMAGES)
    assert torch.equal(made.alone(1), IMAGES)
    assert made.alone(0).shape == IMAGES.shape
    assert torch.equal(made.alone(0)[:, :, ::4, ::4], model.encode(IMAGES)[0])


def test_nothing_to_train():
    model = Identity(factors=[1], seed=0)
    assert not list(model.parameters())
    assert not model(IMAGES).latent_loss
    with pytest.raises(FridoError, match="nothing to train"):
        _ = model.last_layer
