"""LDM's VQ autoencoder against the official code: continuous latents, codes, and pictures with and without codebook."""

import pytest
import torch

from tests.parity import golden
from tests.parity.first_stages import CLOSE, imported, tolerance


@pytest.fixture(params=golden.cases("ldm.models.autoencoder.VQModelInterface"))
def pair(request):
    return golden.load(request.param)


def allowed(pair):
    """Codes that may differ: at true size two codes can be as near as rounding."""
    return 3 if pair.name.startswith("true_") else 0


def test_every_tensor_is_accounted_for(pair):
    _, report = imported(pair)
    assert report.complete
    assert not report.dropped and not report.changed
    assert set(report.renamed) == set(pair.weights)


@torch.no_grad()
def test_diffusion_sees_continuous_latents(pair):
    model, _ = imported(pair)
    torch.testing.assert_close(model.encode(pair["x"])[0], pair["iface_encode"], **tolerance(pair))


@torch.no_grad()
def test_codes_and_quantised_map(pair):
    model, _ = imported(pair)
    recorded = pair["indices"].view(len(pair["x"]), 1, *pair["iface_encode"].shape[2:])
    for codes in (model(pair["x"]).codes[0], model.pyramid_to_codes((pair["iface_encode"],))[0]):
        assert (codes != recorded).sum() <= allowed(pair)
    torch.testing.assert_close(model.codes_to_pyramid((recorded,))[0], pair["quant"], **tolerance(pair))


@torch.no_grad()
def test_codebook_loss(pair):
    model, _ = imported(pair)
    torch.testing.assert_close(model(pair["x"]).latent_loss, pair["emb_loss"].reshape(()), rtol=1e-5, atol=0)


@torch.no_grad()
def test_decoding_quantises(pair):
    model, _ = imported(pair)
    torch.testing.assert_close(model.decode((pair["iface_encode"],)), pair["iface_decode"], **tolerance(pair))
    if not allowed(pair):
        torch.testing.assert_close(model(pair["x"]).images, pair["iface_decode"], **CLOSE)


@torch.no_grad()
def test_decoding_without_the_codebook(pair):
    model, _ = imported(pair)
    made = model._paint((pair["iface_encode"],))
    torch.testing.assert_close(made, pair["iface_decode_not_quantized"], **tolerance(pair))
