"""What every codebook promises, for each option there is, and the losses of the learned one."""

import pytest
import torch

from frido.autoencoders.quantizers.vq import VectorQuantizer
from tests.autoencoders import options

CHANNELS = 4


@pytest.fixture(params=options.names("autoencoder/quantizer"))
def quantizer(request):
    torch.manual_seed(0)
    made = options.made("autoencoder.quantizer", f"autoencoder/quantizer={request.param}")(channels=CHANNELS)
    # Codes at the scale of latents, far enough apart to know which is nearest.
    spread = torch.randn(made.num_codes, CHANNELS)
    made.load_state_dict(made.state_dict() | {"codebook": spread})
    return made.eval()


@pytest.fixture
def latents():
    return torch.randn(2, CHANNELS, 5, 3, generator=torch.Generator().manual_seed(1))


def test_picks_the_nearest_code(quantizer, latents):
    book = quantizer.state_dict()["codebook"].double()
    vectors = latents.double().permute(0, 2, 3, 1).reshape(-1, CHANNELS)
    nearest = torch.cdist(vectors, book).argmin(dim=1).view(2, 5, 3)
    assert torch.equal(quantizer.latents_to_codes(latents), nearest)
    assert torch.equal(quantizer(latents).codes, nearest)


def test_codes_lead_back_to_the_quantised_map(quantizer, latents):
    made = quantizer(latents)
    assert torch.equal(quantizer.codes_to_latents(made.codes), made.latents)
    assert torch.equal(quantizer.quantise(latents), made.latents)


def test_quantising_twice_is_quantising_once(quantizer, latents):
    once = quantizer.quantise(latents)
    assert torch.equal(quantizer.quantise(once), once)
    assert quantizer(once).loss.abs() < 1e-10


def test_gradient_passes_straight_through(quantizer, latents):
    latents.requires_grad_()
    direction = torch.randn_like(latents)
    (gradient,) = torch.autograd.grad((quantizer(latents).latents * direction).sum(), latents)
    assert torch.equal(gradient, direction)


def test_loss_pulls_latents_to_their_codes(quantizer, latents):
    latents.requires_grad_()
    made = quantizer(latents)
    (gradient,) = torch.autograd.grad(made.loss, latents)
    with torch.no_grad():
        moved = quantizer(latents - gradient)
    assert moved.loss < made.loss


def test_evaluation_changes_nothing(quantizer, latents):
    before = {name: tensor.clone() for name, tensor in quantizer.state_dict().items()}
    with torch.no_grad():
        quantizer(latents)
        quantizer.train().quantise(latents)
    assert all(torch.equal(tensor, before[name]) for name, tensor in quantizer.state_dict().items())


def test_works_in_float32_under_autocast(quantizer, latents):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = quantizer(latents.bfloat16())
    assert made.latents.dtype == made.loss.dtype == torch.float32
    assert torch.equal(made.codes, quantizer.latents_to_codes(latents.bfloat16().float()))


@pytest.mark.parametrize("legacy", [True, False])
def test_place_of_the_weight(legacy):
    """One latent, one code: the released code weights the code's pull, the paper the latent's."""
    quantizer = VectorQuantizer(channels=1, num_codes=1, commitment=0.25, legacy=legacy)
    quantizer.load_state_dict({"codebook": torch.tensor([[1.0]])})
    latent = torch.tensor([[[[3.0]]]], requires_grad=True)
    made = quantizer(latent)
    made.loss.backward()
    assert made.loss.item() == pytest.approx(1.25 * 4)
    assert latent.grad.item() == pytest.approx((1.0 if legacy else 0.25) * 4)
    assert quantizer.codebook.grad.item() == pytest.approx(-(0.25 if legacy else 1.0) * 4)


def test_map_is_not_channels_last(quantizer, latents):
    """Its strides would spread to the whole decoder, where group norm takes 20 times longer with them on CPUs."""
    codes = quantizer.latents_to_codes(latents.repeat(1, 1, 2, 2))
    assert quantizer.codes_to_latents(codes).is_contiguous()
