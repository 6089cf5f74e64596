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


def small(*, factors=(4, 2), channels=3, feature_channels=3, quantizer=None, seed=0):
    """Return a tiny model with codebooks that cover its latents."""
    model = MSVQGAN(
        factors=list(factors),
        channels=channels,
        feature_channels=feature_channels,
        encoder=partial(PixelUnshuffleEncoder, width=16, num_blocks=1),
        decoder=partial(PixelShuffleDecoder, width=16, num_blocks=1),
        fusion=partial(PixelShuffleDecoder, width=16, num_blocks=1),
        quantizer=quantizer or codebook(32),
        seed=seed,
    )
    model.train()(images(8))
    return model.eval()


def codebook(num_codes):
    return partial(EMAVectorQuantizer, num_codes=num_codes, commitment=0.25, decay=0.9, revive_after=1000)


def images(batch, *, side=32, seed=0):
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("encoder", ["pixel_unshuffle", "conv"])
@pytest.mark.parametrize("decoder", ["pixel_shuffle", "conv"])
@pytest.mark.parametrize("fusion", options.names("autoencoder/fusion"))
def test_everyday_parts_fit_together(encoder, decoder, fusion):
    parts = {"encoder": encoder, "decoder": decoder, "fusion": fusion}
    model = options.light(*(f"autoencoder/{group}={name}" for group, name in parts.items()))
    made = model(images(2))
    assert made.images.shape == (2, 3, 32, 32)
    assert [tuple(codes.shape) for codes in made.codes] == [(2, 1, 4, 4), (2, 1, 8, 8)]
    (made.images.square().mean() + made.latent_loss).backward()
    idle = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not idle, "DDP stops when a parameter has no gradient"


@pytest.mark.parametrize("parts", ["pixel_unshuffle", "conv"])
@pytest.mark.parametrize("factors", [[4], [8, 4], [16, 8, 4], [16, 8, 4, 2], [16, 4], [2, 1]])
def test_any_factors(parts, factors):
    decoder = {"pixel_unshuffle": "pixel_shuffle", "conv": "conv"}[parts]
    model = options.light(f"autoencoder/encoder={parts}", f"autoencoder/decoder={decoder}", factors=factors)
    assert model.factors == tuple(factors)
    assert len(model.channels) == len(model.num_codes) == len(model.scale_factors) == len(factors)
    made, pyramid = model.eval()(images(2)), model.encode(images(2))
    assert [x.shape[-1] for x in pyramid] == [32 // factor for factor in factors]
    assert [codes[:, 0].shape for codes in made.codes] == [x[:, 0].shape for x in pyramid]
    assert torch.equal(model.decode(pyramid), made.images), "encode then decode is the reconstruction"
    (made.images.square().mean() + made.latent_loss).backward()
    idle = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not idle, "DDP stops when a parameter has no gradient"


@pytest.mark.parametrize("factors", [[4, 4], [4, 8], [8, 3], [0], []])
def test_factors_that_are_no_pyramid(factors):
    with pytest.raises(FridoError, match=r"autoencoder\.factors"):
        small(factors=factors)


@pytest.mark.parametrize("parts", ["pixel_unshuffle", "conv"])
def test_factors_that_are_no_powers_of_two(parts):
    with pytest.raises(FridoError, match="12") as refused:
        options.light(f"autoencoder/encoder={parts}", factors=[12, 4] if parts == "pixel_unshuffle" else [12])
    assert "8" in refused.value.do


def test_channels_on_either_side_of_a_codebook():
    model = small(factors=[4], channels=5, feature_channels=2)
    assert model.project[0].weight.shape[:2] == (5, 2)
    assert model.mix.weight.shape[:2] == (2, 5)
    assert model.encode(images(1))[0].shape == (1, 5, 8, 8)
    with pytest.raises(FridoError, match="feature_channels"):
        small(factors=[4, 2], channels=5, feature_channels=2)


def test_a_quantizer_per_scale():
    model = small(quantizer=[codebook(8), codebook(16)])
    assert model.num_codes == (8, 16)
    assert [len(quantizer.codebook) for quantizer in model.quantizers] == [8, 16]
    with pytest.raises(FridoError, match="list of 1 for 2 scales"):
        small(quantizer=[codebook(8)])


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
def test_a_scale_alone_ignores_the_others():
    model = small(factors=[8, 4, 2])
    made = model(images(2))
    before = [made.alone(scale) for scale in range(3)]
    model.quantizers[2].codebook.mul_(3)
    after = model(images(2))
    assert torch.equal(after.alone(0), before[0])
    assert torch.equal(after.alone(1), before[1])
    assert not torch.allclose(after.alone(2), before[2])


def test_a_scale_alone_is_decoded_only_when_asked_for():
    model = small()
    calls = []
    model.decoder.register_forward_hook(lambda *_: calls.append(1))
    made = model(images(2))
    assert len(calls) == 1
    made.alone(0).mean().backward()
    assert len(calls) == 2
    assert model.project[0].weight.grad.any()


@torch.no_grad()
def test_every_scale_reaches_the_image():
    model = small(factors=[8, 4, 2])
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
    assert changed == ["scale_factors", "calibrated"], "calibration trains nothing"
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


def test_bf16_autocast():
    model = small().train()
    exact = model.eval()(images(4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = model.train()(images(4))
        pyramid = model.encode(images(4))
    assert made.images.dtype == made.latent_loss.dtype == torch.float32
    assert all(latent.dtype == torch.float32 for latent in pyramid)
    assert (made.images - exact.images).abs().mean() < 0.1 * exact.images.std()
    (made.images.mean() + made.latent_loss).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_last_layer_makes_the_image():
    model = small()
    assert model.last_layer is model.decoder.conv_out.weight
