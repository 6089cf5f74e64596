"""LDM's KL autoencoder against the official code: the posterior, its arithmetic, pictures and gradients."""

import pytest
import torch

from frido.autoencoders.gaussian import DiagonalGaussian
from tests.parity import golden
from tests.parity.first_stages import imported, tolerance

OBJECTIVE = "mean|dec_sample-x| + 1e-3*mean(kl)"
"""What the recorded gradients are of; `kl` is a sum per image."""


@pytest.fixture(params=golden.cases("ldm.models.autoencoder.AutoencoderKL"))
def pair(request):
    return golden.load(request.param)


def test_every_tensor_is_accounted_for(pair):
    _, report = imported(pair)
    assert report.complete
    assert not report.dropped and not report.changed
    assert set(report.renamed) == set(pair.weights)


@torch.no_grad()
def test_posterior(pair):
    model, _ = imported(pair)
    (features,) = model.encoder(pair["x"])
    torch.testing.assert_close(model.project(features), pair["moments"], **tolerance(pair))
    posterior = model.posterior(pair["x"])
    for name in ("mean", "logvar", "std"):
        torch.testing.assert_close(getattr(posterior, name), pair[name], **tolerance(pair), msg=name)
    torch.testing.assert_close(model.encode(pair["x"])[0], pair["mode"], **tolerance(pair))


def test_arithmetic_of_gaussians(pair):
    """From the recorded moments, so that the network's rounding does not count."""
    posterior, other = DiagonalGaussian(moments=pair["moments"]), DiagonalGaussian(moments=pair["other_moments"])
    sample = posterior.sample(pair["eps"])
    torch.testing.assert_close(sample, pair["sample"], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(posterior.mode, pair["mode"], atol=0, rtol=0)
    torch.testing.assert_close(posterior.kl(), pair["kl"], rtol=1e-5, atol=0)
    torch.testing.assert_close(posterior.kl(other), pair["kl_to_other"], rtol=1e-5, atol=0)
    torch.testing.assert_close(posterior.nll(pair["sample"]), pair["nll_sample"], rtol=1e-5, atol=0)


@torch.no_grad()
@pytest.mark.parametrize(("given", "made"), [("mode", "dec_mode"), ("sample", "dec_sample")])
def test_decoding(pair, given, made):
    model, _ = imported(pair)
    torch.testing.assert_close(model.decode((pair[given],)), pair[made], **tolerance(pair))


@torch.no_grad()
def test_reconstruction_is_of_the_mode(pair):
    model, _ = imported(pair)
    made = model(pair["x"])
    torch.testing.assert_close(made.images, pair["dec_mode"], **tolerance(pair))
    total = made.latent_loss / model.kl_weight * pair["x"].numel() / len(pair["x"])
    torch.testing.assert_close(total, pair["kl"].mean(), rtol=1e-5, atol=0)


def test_gradients(pair):
    if "grad_norms" not in pair:
        pytest.skip(f"{pair.name} records no gradients")
    assert pair.config.get("objective", OBJECTIVE) == OBJECTIVE
    model, report = imported(pair)
    posterior = model.posterior(pair["x"])
    made = model.decode((posterior.sample(pair["eps"]),))
    ((made - pair["x"]).abs().mean() + 1e-3 * posterior.kl().mean()).backward()
    ours, names = dict(model.named_parameters()), pair.config["grad_norm_names"]
    norms = torch.stack([ours[report.renamed[name]].grad.double().norm() for name in names])
    torch.testing.assert_close(norms, pair["grad_norms"], rtol=1e-4, atol=1e-6)
    assert len(names) == len(ours), "a parameter has no recorded gradient"
