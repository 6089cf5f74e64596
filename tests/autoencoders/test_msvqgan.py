"""MS-VQGAN: what the rest of the house relies on, at every number of scales and with every option."""

from functools import partial

import pytest
import torch
from safetensors.torch import load, save

from frido.autoencoders.decoders.pixel_shuffle import PixelShuffleDecoder
from frido.autoencoders.encoders.pixel_unshuffle import PixelUnshuffleEncoder
from frido.autoencoders.msvqgan import MSVQGAN
from frido.autoencoders.quantizers.ema_vq import EMAVectorQuantizer
from frido.contracts.errors import FridoError
from tests.autoencoders import options


def small(*, num_scales=2, seed=0, factor=2, decoder_factor=2):
    """Return a tiny model with codebooks that cover its latents."""
    model = MSVQGAN(
        num_scales=num_scales,
        channels=3,
        encoder=partial(PixelUnshuffleEncoder, width=16, factor=factor, num_blocks=1),
        decoder=partial(PixelShuffleDecoder, width=16, factor=decoder_factor, num_blocks=1),
        fusion=partial(PixelShuffleDecoder, width=16, factor=1, num_blocks=1),
        quantizer=partial(EMAVectorQuantizer, num_codes=32, commitment=0.25, decay=0.9, revive_after=1000),
        seed=seed,
    )
    model.train()(images(8))
    return model.eval()


def images(batch, *, side=32, seed=0):
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize(("name", "millions"), [("msvqgan_f16f8", 67.995), ("msvqgan_f8f4", 63.947)])
def test_published_sizes(name, millions):
    with torch.device("meta"):
        model = options.autoencoder(f"autoencoder={name}")
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(millions, abs=5e-4)


def test_published_grids():
    for name, factors, channels in (("msvqgan_f16f8", (16, 8), 4), ("msvqgan_f8f4", (8, 4), 3)):
        with torch.device("meta"):
            model = options.autoencoder(f"autoencoder={name}")
            features = model.encoder(torch.empty(1, 3, 64, 64))
        assert model.factors == factors
        assert model.channels == (channels, channels)
        assert [tuple(x.shape) for x in features] == [(1, channels, 64 // f, 64 // f) for f in factors]


@pytest.mark.parametrize("encoder", ["pixel_unshuffle", "conv"])
@pytest.mark.parametrize("decoder", ["pixel_shuffle", "conv"])
@pytest.mark.parametrize("fusion", options.names("autoencoder/fusion"))
def test_everyday_parts_fit_together(encoder, decoder, fusion):
    parts = {"encoder": encoder, "decoder": decoder, "fusion": fusion}
    model = options.autoencoder(*(f"autoencoder/{group}={name}" for group, name in parts.items()))
    made = model(images(2))
    assert made.images.shape == (2, 3, 32, 32)
    assert [tuple(codes.shape) for codes in made.codes] == [(2, 4, 4), (2, 8, 8)]
    (made.images.square().mean() + made.codebook_loss).backward()
    idle = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not idle, "DDP stops when a parameter has no gradient"


@pytest.mark.parametrize("num_scales", [1, 2, 3, 4])
def test_any_number_of_scales(num_scales):
    model = small(num_scales=num_scales)
    assert model.factors == tuple(2 * 2**step for step in reversed(range(num_scales)))
    assert len(model.channels) == len(model.num_codes) == len(model.scale_factors) == num_scales
    with torch.no_grad():
        made, pyramid = model(images(2)), model.encode(images(2))
        assert [x.shape[-1] for x in pyramid] == [32 // factor for factor in model.factors]
        assert [codes.shape for codes in made.codes] == [x[:, 0].shape for x in pyramid]
        assert torch.equal(model.decode(pyramid), made.images), "encode then decode is the reconstruction"


@torch.no_grad()
def test_latents_are_those_before_quantisation():
    model = small()
    pyramid = model.encode(images(2))
    for latent, quantizer, codes in zip(pyramid, model.quantizers, model(images(2)).codes, strict=True):
        assert not torch.equal(latent, quantizer.quantise(latent))
        assert torch.equal(quantizer.latents_to_codes(latent), codes)


@torch.no_grad()
def test_finer_latents_depend_on_the_coarser_codes():
    model = small()
    before = model.encode(images(2))
    model.quantizers[0].codebook.mul_(3)
    after = model.encode(images(2))
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1])


@torch.no_grad()
def test_every_scale_reaches_the_image():
    model = small(num_scales=3)
    pyramid = model.encode(images(2))
    for scale in range(3):
        changed = tuple(latent.flip(0) if index == scale else latent for index, latent in enumerate(pyramid))
        assert not torch.allclose(model.decode(changed), model.decode(pyramid))


def test_calibration_gives_unit_variance_in_one_pass():
    model = small()
    read = []

    def batches():
        for seed, size in enumerate((8, 8, 3)):  # a short last batch counts by its images
            read.append(seed)
            yield images(size, seed=seed)

    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    reconstruction = model.eval()(images(4)).images
    model.train().calibrate(batches())
    assert read == [0, 1, 2]
    assert model.training
    changed = [name for name, tensor in model.state_dict().items() if not torch.equal(tensor, state[name])]
    assert changed == ["scale_factors"], "calibration trains nothing"
    model.eval()
    with torch.no_grad():
        latents = [torch.cat(scale) for scale in zip(*map(model.encode, batches()), strict=True)]
        torch.testing.assert_close(torch.stack([x.std() for x in latents]), torch.ones(2), atol=1e-4, rtol=0)
        torch.testing.assert_close(model.decode(model.encode(images(4))), reconstruction, atol=1e-5, rtol=1e-4)
    model.calibrate(batches())
    with torch.no_grad():
        again = torch.stack([torch.cat(s).std() for s in zip(*map(model.encode, batches()), strict=True)])
    torch.testing.assert_close(again, torch.ones(2), atol=1e-4, rtol=0)  # not relative to earlier factors


def test_saved_and_loaded_it_is_the_same():
    model, other = small(seed=0), small(seed=1)
    model.calibrate([images(8)])
    other.load_state_dict(load(save(model.state_dict())))
    with torch.no_grad():
        pyramid = model.encode(images(2))
        assert all(torch.equal(a, b) for a, b in zip(pyramid, other.encode(images(2)), strict=True))
        assert torch.equal(model.decode(pyramid), other.decode(pyramid))
    for step in range(3):  # codebooks learn on alike, too
        model.train()(images(4, seed=step))
        other.train()(images(4, seed=step))
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_seed_makes_the_weights_and_nothing_else_does():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = small(seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), small(seed=3).parameters(), strict=True))
    assert first.seed == 3
    assert not torch.equal(first.decoder.conv_out.weight, small(seed=4).decoder.conv_out.weight)


def test_bf16_autocast():
    model = small().train()
    exact = model.eval()(images(4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = model.train()(images(4))
        pyramid = model.encode(images(4))
    assert made.images.dtype == made.codebook_loss.dtype == torch.float32
    assert all(latent.dtype == torch.float32 for latent in pyramid)
    assert (made.images - exact.images).abs().mean() < 0.1 * exact.images.std()
    (made.images.mean() + made.codebook_loss).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_images_of_a_wrong_size():
    with pytest.raises(FridoError, match="34 x 34") as refused:
        small().encode(images(1, side=34))
    assert "multiples of 4" in refused.value.wanted


def test_decoder_of_another_factor():
    with pytest.raises(FridoError, match="decoder"):
        small(decoder_factor=4)


def test_too_few_levels_for_the_scales():
    with pytest.raises(FridoError, match="multipliers"):
        options.autoencoder("autoencoder/encoder=conv", "autoencoder.num_scales=5")


def test_last_layer_makes_the_image():
    model = small()
    assert model.last_layer is model.decoder.conv_out.weight
