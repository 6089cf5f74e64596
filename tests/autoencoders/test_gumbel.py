"""The Gumbel quantizer: what it draws, how its temperature falls, and its loss and gradient."""

import math

import pytest
import torch

from frido.autoencoders.quantizers.gumbel import GumbelQuantizer

BOOK = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, -1.0]])
LATENT = torch.tensor([0.3, 0.4])
WIDTH = 0.8


def quantizer(**changes):
    settings = {"width": WIDTH, "commitment": 0.25, "kl_weight": 0.1}
    settings |= {"start_temperature": 2.0, "end_temperature": 0.5, "anneal_images": 100} | changes
    made = GumbelQuantizer(channels=2, num_codes=len(BOOK), **settings)
    made.load_state_dict(made.state_dict() | {"codebook": BOOK})
    return made.train()


def squared_distances():
    return (LATENT - BOOK).square().sum(dim=1)


def probabilities():
    return (-squared_distances() / (2 * WIDTH**2)).softmax(dim=0)


@pytest.mark.parametrize("temperature", [2.0, 0.1])
def test_draws_as_often_as_the_softmax_says(temperature):
    """At any temperature: it softens the gradient, not the draw."""
    count = 40_000
    made = quantizer(start_temperature=temperature)
    torch.manual_seed(0)
    drawn = made(LATENT.view(1, 2, 1, 1).expand(1, 2, 200, 200))
    share = torch.bincount(drawn.codes.flatten(), minlength=3) / count
    p = probabilities()
    assert ((share - p).abs() < 4 * (p * (1 - p) / count).sqrt()).all()
    assert torch.equal(drawn.latents, made.codes_to_latents(drawn.codes)), "a draw is a code, exactly"


def test_temperature_falls_exponentially_over_the_images_seen():
    made = quantizer()
    latents = torch.zeros(25, 2, 2, 2)
    seen = []
    for _ in range(6):
        seen.append(made.temperature().item())
        made(latents)
    assert seen == pytest.approx([2.0, 2**0.5, 1.0, 2**-0.5, 0.5, 0.5])
    made.eval()(latents)
    assert made.images_seen.item() == 150, "evaluation does not count"


@pytest.mark.parametrize("training", [True, False])
def test_loss_by_hand(training):
    p, distances = probabilities(), squared_distances()
    divergence = (p * (p * 3).log()).sum()
    expected = 0.1 * divergence + 0.25 * (p * distances).sum() / 2
    latents = LATENT.view(1, 2, 1, 1).expand(2, 2, 3, 5)
    torch.testing.assert_close(quantizer().train(training)(latents).loss, expected)


def test_divergence_is_that_from_equal_probabilities():
    wide = quantizer(width=1e3, commitment=0.0, kl_weight=1.0)
    assert wide(torch.randn(1, 2, 4, 4)).loss.item() == pytest.approx(0, abs=1e-4)
    narrow = quantizer(width=1e-2, commitment=0.0, kl_weight=1.0)
    assert narrow(LATENT.view(1, 2, 1, 1)).loss.item() == pytest.approx(math.log(3))


def test_gradient_is_that_of_the_softmax():
    made, latents = quantizer(), torch.randn(2, 2, 3, 5, requires_grad=True)
    direction = torch.randn(2, 2, 3, 5)
    wanted_for = [latents, made.codebook, made.log_width]
    torch.manual_seed(3)
    gradients = torch.autograd.grad((made(latents).latents * direction).sum(), wanted_for)

    vectors = latents.permute(0, 2, 3, 1).reshape(-1, 2)
    distances = (vectors[:, None] - made.codebook).square().sum(dim=2)
    torch.manual_seed(3)
    noise = -torch.empty(30, 3).exponential_().log()
    logits = noise - distances / (2 * made.log_width.exp() ** 2)
    soft = (logits / 2.0).softmax(dim=1)
    hard = torch.nn.functional.one_hot(logits.argmax(dim=1), 3)
    drawn = (hard + soft - soft.detach()) @ made.codebook
    loss = (drawn * direction.permute(0, 2, 3, 1).reshape(-1, 2)).sum()
    # of the codebook: as drawn, and through the logits
    for one, other in zip(gradients, torch.autograd.grad(loss, wanted_for), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_noise_at_the_edge_of_its_range_is_finite(monkeypatch):
    """A uniform generator may return 0, whose Gumbel value is infinite."""
    monkeypatch.setattr(torch.Tensor, "exponential_", torch.Tensor.zero_)
    latents = torch.randn(1, 2, 2, 2, requires_grad=True)
    drawn = quantizer()(latents)
    (gradient,) = torch.autograd.grad(drawn.latents.sum() + drawn.loss, latents)
    assert gradient.isfinite().all()


def test_it_learns_the_centres_of_clusters():
    torch.manual_seed(0)
    centres = 2 * BOOK
    made = quantizer(kl_weight=0.0)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.05)
    for _ in range(150):
        latents = centres[torch.randint(3, (8, 4, 4))].permute(0, 3, 1, 2) + 0.1 * torch.randn(8, 2, 4, 4)
        optimizer.zero_grad()
        made(latents).loss.backward()
        optimizer.step()
    torch.testing.assert_close(made.codebook.detach(), centres, atol=0.05, rtol=0)
    assert made.log_width.exp() < WIDTH
