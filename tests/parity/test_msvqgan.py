"""MS-VQGAN against the official code: same weights, same image, same numbers."""

import pytest
import torch
import torch.nn.functional as F

from frido.importers import first_stage
from tests.parity import golden
from tests.parity.first_stages import CLOSE, imported, tolerance

CASES = golden.cases("taming.models.msvqgan.MSFPNVQModel", "MSFPNVQModel at configs/")


@pytest.fixture(params=CASES)
def pair(request):
    return golden.load(request.param)


def stack(latents, *, coarsest_first):
    """The official layout: all scales on the finest grid, as channels."""
    size = latents[-1].shape[-2:]
    ordered = latents if coarsest_first else latents[::-1]
    return torch.cat([F.interpolate(latent, size=size, mode="nearest") for latent in ordered], dim=1)


def unstack(stacked, num_scales):
    return tuple(stacked.chunk(num_scales, dim=1))


def test_every_tensor_is_accounted_for(pair):
    _, report = imported(pair)
    assert report.complete
    assert not report.dropped
    assert report.changed == ["mix.weight"]
    assert set(report.renamed) == set(pair.weights)


@torch.no_grad()
def test_encoder_heads(pair):
    model, _ = imported(pair)
    for index, features in enumerate(reversed(model.encoder(pair["x"]))):  # official: finest first
        if f"enc_h{index}" in pair:
            torch.testing.assert_close(features, pair[f"enc_h{index}"], **tolerance(pair))


@torch.no_grad()
def test_codes_and_quantised_maps(pair):
    model, _ = imported(pair)
    codes = model(pair["x"]).codes
    allowed = 3 if pair.name.startswith("true_") else 0
    for scale, found in enumerate(codes):
        assert (found.flatten() != pair[f"indices_{scale}"].flatten()).sum() <= allowed
    quantised = [quantizer.codes_to_latents(code) for quantizer, code in zip(model.quantizers, codes, strict=True)]
    if "quant_cat" in pair and not allowed:
        torch.testing.assert_close(stack(quantised, coarsest_first=False), pair["quant_cat"], **CLOSE)


@torch.no_grad()
def test_decoder_from_recorded_quantised_maps(pair):
    """From the official maps, so that one differing code at true size does not hide the decoder."""
    if "quant_cat" not in pair:
        pytest.skip(f"{pair.name} records no quant_cat")
    model, _ = imported(pair)
    maps = tuple(reversed(unstack(pair["quant_cat"], len(model.channels))))
    torch.testing.assert_close(model._paint(maps), pair["dec"], **tolerance(pair))


@torch.no_grad()
@pytest.mark.parametrize(("legacy", "name"), [(True, "emb_loss_total"), (False, "emb_loss_total_legacy_false")])
def test_codebook_loss(pair, legacy, name):
    if name not in pair:
        pytest.skip(f"{pair.name} records no {name}")
    model, _ = imported(pair, legacy=legacy)
    torch.testing.assert_close(model(pair["x"]).latent_loss, pair[name], rtol=1e-5, atol=0)


def test_reconstruction_loss_and_gradients(pair):
    if "grad_norms" not in pair:
        pytest.skip(f"{pair.name} records no gradients")
    model, report = imported(pair)
    made = model(pair["x"])
    torch.testing.assert_close(made.images, pair["dec"], **CLOSE)
    loss = (made.images - pair["x"]).abs().mean() + made.latent_loss
    torch.testing.assert_close(loss, pair["loss_l1_plus_quant"], rtol=1e-5, atol=0)
    loss.backward()
    ours = dict(model.named_parameters())
    names = pair.config["grad_norm_names"]
    norms = torch.stack([ours[report.renamed[name]].grad.double().norm() for name in names])
    torch.testing.assert_close(norms, pair["grad_norms"], rtol=1e-4, atol=1e-6)
    assert len(names) == len(ours), "a parameter has no recorded gradient"


@torch.no_grad()
def test_diffusion_sees_continuous_latents_coarsest_first(pair):
    if "iface_encode" not in pair:
        pytest.skip(f"{pair.name} records no iface_encode")
    model, _ = imported(pair)
    pyramid = model.encode(pair["x"])
    torch.testing.assert_close(stack(pyramid, coarsest_first=True), pair["iface_encode"], **tolerance(pair))


@torch.no_grad()
@pytest.mark.parametrize(
    ("given", "made"), [("iface_encode", "iface_decode"), ("iface_decode_rnd_in", "iface_decode_rnd")]
)
def test_decoding_stacked_latents(pair, given, made):
    """The stacked layout hands over coarse latents on the finest grid, block-constant or (after noise) not."""
    if given not in pair or made not in pair:
        pytest.skip(f"{pair.name} records no {made}")
    model, _ = imported(pair)
    latents = unstack(pair[given], len(model.channels))
    torch.testing.assert_close(model.decode(latents), pair[made], **tolerance(pair))
    for scale, latent in enumerate(latents):
        if given == "iface_encode" and f"iface_code_{scale}" in pair:
            codes = model.quantizers[scale].latents_to_codes(latent)
            assert torch.equal(codes.flatten(1), pair[f"iface_code_{scale}"].flatten(1))


@torch.no_grad()
def test_native_and_stacked_latents_decode_to_one_image(pair):
    if pair.name.startswith("true_"):
        pytest.skip("the small pairs say the same")
    model, _ = imported(pair)
    pyramid = model.encode(pair["x"])
    stacked = unstack(stack(pyramid, coarsest_first=True), len(pyramid))
    assert torch.equal(model.decode(pyramid), model.decode(stacked))
    torch.testing.assert_close(model.decode(pyramid), pair["dec"], **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("path", golden.cases("frido.models.diffusion.frido.FridoDiffusion"))
def test_first_stage_inside_a_diffusion_model(path):
    """Found under its prefix, with the scale factors that diffusion was trained with."""
    pair = golden.load(path)
    inner = golden.Golden(pair.name, pair.config["first_stage"], first_stage.weights_in(pair.weights), pair.tensors)
    model, report = imported(inner)
    assert set(report.renamed) == set(inner.weights)
    torch.testing.assert_close(stack(model.encode(pair["image"]), coarsest_first=True), pair["z_raw"], **CLOSE)
    factors = first_stage.scale_factors({"scale_factor": pair["scale_factor"]}, {}, scales=len(model.channels))
    model.scale_factors.copy_(factors)
    latents = unstack(pair["z"], len(model.channels))
    torch.testing.assert_close(stack(model.encode(pair["image"]), coarsest_first=True), pair["z"], **CLOSE)
    torch.testing.assert_close(model.decode(latents), pair["decoded"], **CLOSE)
