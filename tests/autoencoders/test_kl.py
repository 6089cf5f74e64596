"""The KL autoencoder: what it samples, what it is charged for."""

from functools import partial

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from frido.autoencoders.decoders.pixel_shuffle import PixelShuffleDecoder
from frido.autoencoders.encoders.pixel_unshuffle import PixelUnshuffleEncoder
from frido.autoencoders.kl import AutoencoderKL
from frido.contracts.errors import FridoError


def small(*, factors=(4,), channels=3, feature_channels=3, kl_weight=1.0):
    return AutoencoderKL(
        factors=list(factors),
        channels=channels,
        feature_channels=feature_channels,
        encoder=partial(PixelUnshuffleEncoder, width=16, num_blocks=1),
        decoder=partial(PixelShuffleDecoder, width=16, num_blocks=1),
        kl_weight=kl_weight,
        seed=0,
    ).eval()


def images(batch, *, seed=0):
    return torch.rand(batch, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def spread_out(model, logvar):
    """Give every latent value the same log-variance."""
    with torch.no_grad():
        half = model.channels[0]
        model.project.weight[half:] = 0
        model.project.bias[half:] = logvar
    return model


def test_loss_is_the_divergence_per_value_of_the_image():
    model = small(kl_weight=0.5)
    with torch.no_grad():
        posterior, made = model.posterior(images(2)), model(images(2))
    standard = Normal(torch.zeros_like(posterior.mean), torch.ones_like(posterior.mean))
    nats = kl_divergence(Normal(posterior.mean, posterior.std), standard).sum()
    torch.testing.assert_close(made.latent_loss, 0.5 * nats / (2 * 3 * 32 * 32))


def test_training_decodes_samples_and_evaluation_the_mode():
    model, batch = spread_out(small(), -2.0), images(32)
    with torch.no_grad():
        assert torch.equal(model(batch).images, model.decode(model.encode(batch)))
        seen = []
        handle = model.mix.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        torch.manual_seed(0)
        first = model.train()(batch).images
        torch.manual_seed(0)
        assert torch.equal(model(batch).images, first), "noise is a function of torch's generator"
        assert not torch.equal(model(batch).images, first)
        handle.remove()
        noise = (seen[0] - model.posterior(batch).mean) * torch.tensor(1.0).exp()
    torch.testing.assert_close(noise.std(), torch.tensor(1.0), atol=0.05, rtol=0)
    torch.testing.assert_close(noise.mean(), torch.tensor(0.0), atol=0.05, rtol=0)


def test_latents_stay_the_same_in_training_mode():
    model = spread_out(small(), -2.0).train()
    with torch.no_grad():
        assert torch.equal(model.encode(images(2))[0], model.encode(images(2))[0])


def test_spread_is_charged_and_learned():
    model = small().train()
    model(images(4)).latent_loss.backward()
    assert model.project.bias.grad.abs().min() > 0
    wide, narrow = spread_out(small(), 0.0), spread_out(small(), -8.0)
    with torch.no_grad():
        assert narrow(images(2)).latent_loss > wide(images(2)).latent_loss


def test_channels_on_either_side_of_the_latents():
    model = small(channels=5, feature_channels=2)
    assert model.project.weight.shape[:2] == (10, 4)
    assert model.mix.weight.shape[:2] == (2, 5)
    with torch.no_grad():
        assert model.encode(images(1))[0].shape == (1, 5, 8, 8)
        assert model(images(1)).images.shape == (1, 3, 32, 32)


def test_several_scales():
    with pytest.raises(FridoError, match="one scale") as refused:
        small(factors=(8, 4))
    assert "autoencoder.factors=[4]" in refused.value.do
