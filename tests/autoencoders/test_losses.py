"""Losses of the first stage, against numbers worked out by hand."""

import sys
import types

import pytest
import torch
from torch import nn

from frido.autoencoders.base import Reconstruction
from frido.autoencoders.losses.adversarial import AdversarialLoss, adaptive_weight
from frido.autoencoders.losses.base import Perceptual
from frido.autoencoders.losses.hinge_opponent import HingeOpponent, hinge
from frido.autoencoders.losses.lpips import Lpips
from frido.autoencoders.losses.patch_discriminator import PatchDiscriminator
from frido.autoencoders.losses.reconstruction import ReconstructionLoss
from frido.contracts.errors import FridoError
from tests.autoencoders import options, two_ranks

LAYER = nn.Parameter(torch.tensor([[1.0, 2.0]]))
EARLY, LATE = torch.tensor([9, 10]), torch.tensor([10, 11])


class Halved(Perceptual):
    """A perceptual distance simple enough to work out."""

    weight = 2.0

    def forward(self, made, images):
        return 0.5 * (made - images).abs().mean(dim=(1, 2, 3))


class Brightness(nn.Module):
    """A discriminator that likes light."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(3.0))

    def forward(self, images):
        return self.gain * images.mean(dim=(1, 2, 3), keepdim=True)


def made(value, codebook_loss=0.5):
    return Reconstruction(value, torch.tensor(codebook_loss), ())


def constant(*levels):
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, 4, 4).clone()


def test_hinge_by_hand():
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    assert hinge(real, fake).item() == pytest.approx(0.5 * ((0 + 0.5) / 2 + (0 + 1) / 2))


def test_reconstruction_by_hand():
    loss = ReconstructionLoss(codebook_weight=3.0, perceptual=Halved())
    parts = loss(made(constant(0.5, 0.0)), constant(0.0, 0.1), positions=EARLY, last_layer=LAYER)
    assert parts["l1"].item() == pytest.approx(0.3)
    assert parts["perceptual"].item() == pytest.approx(0.15)
    assert parts["loss"].item() == pytest.approx(0.3 + 2 * 0.15 + 3 * 0.5)
    assert loss.opponent is None


def test_adaptive_weight_is_the_ratio_of_gradients():
    layer = nn.Parameter(torch.tensor([3.0, 4.0]))
    reconstruction, adversarial = (layer * torch.tensor([6.0, 8.0])).sum(), (layer * torch.tensor([0.0, 2.0])).sum()
    weight = adaptive_weight(reconstruction, adversarial, layer)
    assert weight.item() == pytest.approx(10 / (2 + 1e-4))
    assert not weight.requires_grad
    flat = adaptive_weight(reconstruction, 0 * adversarial, layer)
    assert flat.item() == pytest.approx(1e4), "bounded where the discriminator is flat"
    assert layer.grad is None, "asking for the weight leaves no gradient behind"


def adversarial(start=10):
    return AdversarialLoss(
        codebook_weight=1.0, perceptual=None, discriminator=Brightness(), start_images=start, weight=0.8
    )


def test_adversarial_term_before_and_after_its_start():
    loss, layer = adversarial(), nn.Parameter(torch.tensor(0.5))
    images = constant(0.0, 0.0)
    reconstruction = made(layer * constant(1.0, 1.0))
    before = loss(reconstruction, images, positions=EARLY, last_layer=layer)
    assert before["loss"].item() == pytest.approx(0.5 + 0.5)
    assert before["adaptive_weight"].item() == before["adversarial"].item() == 0
    after = loss(reconstruction, images, positions=LATE, last_layer=layer)
    assert set(after) == set(before), "the log keeps its columns"
    # |d l1 / d layer| = 1, |d(-3 * layer) / d layer| = 3
    assert after["adversarial"].item() == pytest.approx(-1.5)
    assert after["adaptive_weight"].item() == pytest.approx(0.8 / 3.0001)
    assert after["loss"].item() == pytest.approx(0.5 + 0.5 - 1.5 * 0.8 / 3.0001)
    after["loss"].backward()
    assert layer.grad.item() == pytest.approx(1 - 3 * 0.8 / 3.0001, abs=1e-6), "the weight itself is not differentiated"


@torch.no_grad()
def test_adversarial_loss_without_gradients():
    """Held-out losses are taken without a graph; there is no balance to find then."""
    parts = adversarial()(made(constant(0.5, 0.5)), constant(0.0, 0.0), positions=LATE, last_layer=LAYER)
    assert parts["adaptive_weight"].item() == 0
    assert parts["loss"].item() == pytest.approx(1.0)


def test_opponent_by_hand():
    opponent = HingeOpponent(discriminator=Brightness(), start_images=10)
    reconstruction = constant(-0.1, -0.1).requires_grad_()
    losses = opponent(reconstruction, constant(0.1, 0.5))
    assert losses["logits_real"].item() == pytest.approx(0.9)
    assert losses["logits_made"].item() == pytest.approx(-0.3)
    assert losses["loss"].item() == pytest.approx(0.5 * (0.7 / 2 + 0.7))
    losses["loss"].backward()
    assert reconstruction.grad is None
    assert opponent.discriminator.gain.grad.item() == pytest.approx(0.5 * (-0.1 / 2 - 0.1))


def test_idle_opponent_has_a_gradient_of_zero():
    opponent = HingeOpponent(discriminator=Brightness(), start_images=10)
    assert not opponent.playing(EARLY)
    assert opponent.playing(LATE)
    losses = opponent.idle()
    assert set(losses) == set(opponent(constant(0.0), constant(0.0)))
    losses["loss"].backward()
    assert opponent.discriminator.gain.grad.item() == 0


def test_balance_and_start_are_those_of_the_global_batch(tmp_path):
    rows, weight = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, -1.0], [2.0, 2.0]]), torch.tensor([[1.0], [0.5]])
    layer = nn.Parameter(weight)
    whole = adaptive_weight((rows @ layer).square().mean(), (rows @ layer).mean(), layer)
    (first, playing), (second, playing_too) = two_ranks.run(tmp_path, two_ranks.balance, rows, weight)
    assert torch.equal(first, second)
    torch.testing.assert_close(first, whole)
    assert playing == playing_too == [False, False, True], "a start in the middle of a batch waits for the next one"


@pytest.mark.parametrize(("num_layers", "millions", "patches"), [(2, 0.663, 62), (3, 2.766, 30)])
def test_published_discriminators(num_layers, millions, patches):
    with torch.device("meta"):
        discriminator = PatchDiscriminator(width=64, num_layers=num_layers, seed=0)
        assert discriminator(torch.empty(1, 3, 256, 256)).shape == (1, 1, patches, patches)
    assert sum(parameter.numel() for parameter in discriminator.parameters()) / 1e6 == pytest.approx(millions, abs=5e-4)


def test_discriminator_starts_small_and_seeded():
    first, second = (PatchDiscriminator(width=64, num_layers=3, seed=seed) for seed in (0, 0))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    weights = torch.cat([m.weight.flatten() for m in first.main if isinstance(m, nn.Conv2d)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)
    assert weights.mean().item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("name", options.names("autoencoder/loss"))
def test_options(name):
    if name.endswith("_lpips"):
        with pytest.raises(FridoError, match="perceptual"):
            options.made("first_stage.loss", f"autoencoder/loss={name}")
        return
    loss = options.made("first_stage.loss", f"autoencoder/loss={name}")
    images = torch.rand(2, 3, 64, 64)
    layer = nn.Parameter(torch.tensor(0.5))
    assert loss(made(layer * images), images, positions=EARLY, last_layer=layer)["loss"].requires_grad


def test_lpips_without_the_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(FridoError, match="not installed") as refused:
        Lpips(weight=1.0, network="vgg", trunk=str(tmp_path / "none.pth"))
    assert "autoencoder/loss=reconstruction" in refused.value.do


def test_lpips_takes_its_trunk_from_a_file(monkeypatch, tmp_path):
    """With a stand-in for the package: what is asked of it, and where the weights go."""

    class Network(nn.Module):
        def __init__(self, *, net, pnet_rand, verbose):
            super().__init__()
            assert (net, pnet_rand, verbose) == ("vgg", True, False), "it must not download"
            self.net = nn.ModuleDict({"slice1": nn.ModuleDict({"0": nn.Conv2d(3, 2, 1)})})

        def forward(self, images, reconstruction):
            difference = self.net["slice1"]["0"](images) - self.net["slice1"]["0"](reconstruction)
            return difference.square().mean(dim=(1, 2, 3), keepdim=True)

    monkeypatch.setitem(sys.modules, "lpips", types.SimpleNamespace(LPIPS=Network))
    with pytest.raises(FridoError, match="no file"):
        Lpips(weight=1.0, network="vgg", trunk=str(tmp_path / "none.pth"))
    weights = {"features.0.weight": torch.ones(2, 3, 1, 1), "features.0.bias": torch.zeros(2), "classifier.0": LAYER}
    torch.save(weights, tmp_path / "vgg.pth")
    lpips = Lpips(weight=1.0, network="vgg", trunk=str(tmp_path / "vgg.pth"))
    torch.testing.assert_close(lpips(constant(0.5, 0.0), constant(0.0, 0.0)), torch.tensor([2.25, 0.0]))
    assert not list(lpips.parameters()), "it has no place in a checkpoint"
    assert not lpips.state_dict()
