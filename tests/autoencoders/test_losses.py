"""Losses of the first stage, against numbers worked out by hand."""

import math
import sys
import types
from functools import partial

import pytest
import torch
from torch import nn

from frido.autoencoders.base import Reconstruction
from frido.autoencoders.losses.adversarial import AdversarialLoss, adaptive_weight
from frido.autoencoders.losses.auxiliary import AuxiliaryReconstruction
from frido.autoencoders.losses.base import Perceptual
from frido.autoencoders.losses.discriminator_opponent import DiscriminatorOpponent
from frido.autoencoders.losses.hinge import Hinge
from frido.autoencoders.losses.l1 import L1
from frido.autoencoders.losses.l2 import L2
from frido.autoencoders.losses.lpips import Lpips
from frido.autoencoders.losses.reconstruction import ReconstructionLoss
from frido.autoencoders.losses.vanilla import Vanilla
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


def never(scale):
    raise AssertionError("nobody asked for a scale alone")


def made(value, *, latent_loss=0.5, alone=never):
    return Reconstruction(value, torch.tensor(latent_loss), (torch.zeros(len(value), 1, 2, 2, dtype=int),) * 2, alone)


def constant(*levels):
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, 4, 4).clone()


def reconstruction(**changes):
    return ReconstructionLoss(**{"pixel": L1(), "perceptual": None, "auxiliary": None, "latent_weight": 1.0} | changes)


def adversarial(**changes):
    settings = {"pixel": L1(), "perceptual": None, "auxiliary": None, "latent_weight": 1.0}
    settings |= {"objective": Hinge(), "start_images": 10, "weight": 0.8, "largest_weight": 1e4}
    return AdversarialLoss(discriminator=Brightness(), **settings | changes)


# Reconstruction


def test_pixel_terms_by_hand():
    value, images = constant(0.5, 0.0), constant(0.0, 0.1)
    assert L1()(value, images).item() == pytest.approx((0.5 + 0.1) / 2)
    assert L2()(value, images).item() == pytest.approx((0.25 + 0.01) / 2)


def test_reconstruction_by_hand():
    loss = reconstruction(perceptual=Halved(), latent_weight=3.0)
    parts = loss(made(constant(0.5, 0.0)), constant(0.0, 0.1), positions=EARLY, last_layer=LAYER)
    assert parts["l1"].item() == pytest.approx(0.3)
    assert parts["perceptual"].item() == pytest.approx(0.15)
    assert parts["latent_loss"].item() == pytest.approx(0.5)
    assert parts["reconstruction"].item() == pytest.approx(0.3 + 2 * 0.15)
    assert parts["loss"].item() == pytest.approx(0.3 + 2 * 0.15 + 3 * 0.5)
    assert loss.opponent is None


def test_pixel_term_is_logged_under_its_name():
    parts = reconstruction(pixel=L2())(
        made(constant(0.5, 0.5)), constant(0.0, 0.0), positions=EARLY, last_layer=torch.nn.Parameter(torch.ones(1))
    )
    assert set(parts) == {"loss", "reconstruction", "l2", "latent_loss"}
    assert parts["reconstruction"].item() == pytest.approx(0.25)


@pytest.mark.parametrize("make", [reconstruction, adversarial])
def test_auxiliary_by_hand(make):
    """Coarsest first: scale 0 alone is 0.4 off, scale 1 alone 0.6."""
    alone = {0: constant(0.4, 0.4), 1: constant(0.6, 0.6)}
    auxiliary = AuxiliaryReconstruction(weight=0.5, weights=[1.0, 2.0])
    parts = make(auxiliary=auxiliary)(
        made(constant(0.1, 0.1), alone=alone.__getitem__), constant(0.0, 0.0), positions=EARLY, last_layer=LAYER
    )
    assert parts["auxiliary"].item() == pytest.approx(0.4 + 2 * 0.6)
    assert parts["reconstruction"].item() == pytest.approx(0.1 + 0.5 * 1.6)
    assert parts["loss"].item() == pytest.approx(0.1 + 0.5 * 1.6 + 0.5)


def test_only_scales_with_a_weight_are_decoded_alone():
    asked = []

    def alone(scale):
        asked.append(scale)
        return constant(0.4, 0.4)

    loss = reconstruction(auxiliary=AuxiliaryReconstruction(weight=0.5, weights=[1.0, 0.0]))
    loss(made(constant(0.1, 0.1), alone=alone), constant(0.0, 0.0), positions=EARLY, last_layer=LAYER)
    assert asked == [0]


def test_auxiliary_wants_a_weight_for_every_scale():
    auxiliary = AuxiliaryReconstruction(weight=0.5, weights=[1.0])
    with pytest.raises(FridoError, match="2 scales") as refused:
        auxiliary(made(constant(0.1)), constant(0.0), L1())
    assert "first_stage.loss.auxiliary.weights=[1,0]" in refused.value.do


# Against a discriminator


def test_objectives_by_hand():
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    assert Hinge()(real, fake).item() == pytest.approx(0.5 * ((0 + 0.5) / 2 + (0 + 1) / 2))
    entropy = [math.log(1 + math.exp(x)) for x in (-2.0, -0.5, -3.0, 0.0)]
    assert Vanilla()(real, fake).item() == pytest.approx(0.5 * sum(entropy) / 2)


def test_adaptive_weight_is_the_ratio_of_gradients():
    layer = nn.Parameter(torch.tensor([3.0, 4.0]))
    lost, fooled = (layer * torch.tensor([6.0, 8.0])).sum(), (layer * torch.tensor([0.0, 2.0])).sum()
    weight = adaptive_weight(lost, fooled, layer, largest=1e4)
    assert weight.item() == pytest.approx(10 / (2 + 1e-4))
    assert not weight.requires_grad
    flat = partial(adaptive_weight, lost, 0 * fooled, layer)
    assert flat(largest=1e9).item() == pytest.approx(10 / 1e-4)
    assert flat(largest=50.0).item() == pytest.approx(50), "bounded where the discriminator is flat"
    assert layer.grad is None, "asking for the weight leaves no gradient behind"


def test_adversarial_term_before_and_after_its_start():
    loss, layer = adversarial(), nn.Parameter(torch.tensor(0.5))
    images, answer = constant(0.0, 0.0), made(layer * constant(1.0, 1.0))
    before = loss(answer, images, positions=EARLY, last_layer=layer)
    assert before["loss"].item() == pytest.approx(0.5 + 0.5)
    assert before["adaptive_weight"].item() == before["adversarial"].item() == 0
    after = loss(answer, images, positions=LATE, last_layer=layer)
    assert set(after) == set(before), "the log keeps its columns"
    # |d l1 / d layer| = 1, |d(-3 * layer) / d layer| = 3
    assert after["adversarial"].item() == pytest.approx(-1.5)
    assert after["adaptive_weight"].item() == pytest.approx(0.8 / 3.0001)
    assert after["loss"].item() == pytest.approx(0.5 + 0.5 - 1.5 * 0.8 / 3.0001)
    after["loss"].backward()
    assert layer.grad.item() == pytest.approx(1 - 3 * 0.8 / 3.0001, abs=1e-6), "the weight itself is not differentiated"


def test_bound_of_the_adaptive_weight_comes_before_its_factor():
    layer = nn.Parameter(torch.tensor(0.5))
    parts = adversarial(largest_weight=0.1)(
        made(layer * constant(1.0, 1.0)), constant(0.0, 0.0), positions=LATE, last_layer=layer
    )
    assert parts["adaptive_weight"].item() == pytest.approx(0.8 * 0.1)


def test_what_is_lost_balances_the_adversarial_term_as_a_whole():
    """Perceptual and auxiliary terms count, the latent loss does not (Esser et al., 2021)."""
    layer = nn.Parameter(torch.tensor(0.5))
    value = layer * constant(1.0, 1.0)
    auxiliary = AuxiliaryReconstruction(weight=0.5, weights=[1.0, 0.0])
    loss = adversarial(perceptual=Halved(), auxiliary=auxiliary, latent_weight=100.0)
    answer = Reconstruction(value, layer * 7.0, made(value.detach()).codes, lambda scale: 4.0 * value)
    parts = loss(answer, constant(0.0, 0.0), positions=LATE, last_layer=layer)
    assert parts["adaptive_weight"].item() == pytest.approx(0.8 * (1 + 2 * 0.5 + 0.5 * 4) / 3.0001)


@torch.no_grad()
def test_adversarial_loss_without_gradients():
    """Held-out losses are taken without a graph; there is no balance to find then."""
    parts = adversarial()(
        made(constant(0.5, 0.5)), constant(0.0, 0.0), positions=LATE, last_layer=torch.nn.Parameter(torch.ones(1))
    )
    assert parts["adaptive_weight"].item() == 0
    assert parts["loss"].item() == pytest.approx(1.0)


def test_opponent_by_hand():
    opponent = DiscriminatorOpponent(discriminator=Brightness(), objective=Hinge(), start_images=10)
    value = constant(-0.1, -0.1).requires_grad_()
    losses = opponent(value, constant(0.1, 0.5))
    assert losses["logits_real"].item() == pytest.approx(0.9)
    assert losses["logits_made"].item() == pytest.approx(-0.3)
    assert losses["loss"].item() == pytest.approx(0.5 * (0.7 / 2 + 0.7))
    losses["loss"].backward()
    assert value.grad is None
    assert opponent.discriminator.gain.grad.item() == pytest.approx(0.5 * (-0.1 / 2 - 0.1))


def test_idle_opponent_has_a_gradient_of_zero():
    opponent = DiscriminatorOpponent(discriminator=Brightness(), objective=Vanilla(), start_images=10)
    assert not opponent.playing(EARLY)
    assert opponent.playing(LATE)
    losses = opponent.idle()
    assert set(losses) == set(opponent(constant(0.0), constant(0.0)))
    losses["loss"].backward()
    assert opponent.discriminator.gain.grad.item() == 0


def test_balance_and_start_are_those_of_the_global_batch(tmp_path):
    rows, weight = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, -1.0], [2.0, 2.0]]), torch.tensor([[1.0], [0.5]])
    layer = nn.Parameter(weight)
    whole = adaptive_weight((rows @ layer).square().mean(), (rows @ layer).mean(), layer, largest=1e4)
    (first, playing), (second, playing_too) = two_ranks.run(tmp_path, two_ranks.balance, rows, weight)
    assert torch.equal(first, second)
    torch.testing.assert_close(first, whole)
    assert playing == playing_too == [False, False, True], "a start in the middle of a batch waits for the next one"


# Options

WITHOUT = "autoencoder/loss/perceptual=none"
PARTS = [
    f"autoencoder/loss/{part}={name}"
    for part in ("pixel", "auxiliary", "objective", "discriminator")
    for name in options.names(f"autoencoder/loss/{part}")
]


class Toy(nn.Module):
    """An autoencoder of two scales, as far as a loss can see."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fine, self.coarse = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, images):
        parts = self.coarse(images), self.fine(images)
        return made(sum(parts), alone=parts.__getitem__)


def train(loss):
    """Take one step of both players, late in training; return what the loss said of the autoencoder."""
    toy, images, late = Toy(), torch.rand(4, 3, 32, 32) * 2 - 1, torch.arange(10**9, 10**9 + 4)
    before = toy.coarse.weight.detach().clone()
    answer = toy(images)
    parts = loss.train()(answer, images, positions=late, last_layer=toy.coarse.weight)
    parts["loss"].backward()
    torch.optim.Adam(toy.parameters(), lr=1e-3).step()
    assert not torch.equal(toy.coarse.weight, before)
    if loss.opponent is not None:
        start = [parameter.detach().clone() for parameter in loss.opponent.parameters()]
        loss.opponent.zero_grad()
        loss.opponent(answer.images, images)["loss"].backward()
        torch.optim.Adam(loss.opponent.parameters(), lr=1e-3).step()
        # A last bias may stand still: both hinges pull equally while all logits are within the margins.
        moved = [not torch.equal(a, b) for a, b in zip(start, loss.opponent.parameters(), strict=True)]
        assert sum(moved) >= len(moved) - 1
    return parts


@pytest.mark.parametrize("name", options.names("autoencoder/loss"))
def test_option_trains(name):
    parts = train(options.made("first_stage.loss", f"autoencoder/loss={name}", WITHOUT))
    assert all(value.isfinite() and value.shape == () for value in parts.values())


@pytest.mark.parametrize("part", PARTS)
def test_part_trains(part):
    parts = train(options.made("first_stage.loss", "autoencoder/loss=adversarial", part))
    assert all(value.isfinite() and value.shape == () for value in parts.values())


@pytest.mark.parametrize("name", options.names("autoencoder/loss"))
def test_perceptual_distance_is_one_override(name):
    """Nothing is downloaded here: choosing it says what is missing and how to do without."""
    with pytest.raises(FridoError, match=r"first_stage\.loss\.perceptual") as refused:
        options.made("first_stage.loss", f"autoencoder/loss={name}", "autoencoder/loss/perceptual=lpips")
    assert WITHOUT in refused.value.do


PUBLISHED = {  # images before the start, weight, layers, weight of the latent loss
    "frido_f16f8": (30001 * 4, 0.8, 2, 1.0),
    "frido_f8f4": (0, 0.75, 3, 1.0),
    "ldm_vq": (0, 0.75, 3, 1.0),
    "ldm_vq_f8": (1, 0.6, 2, 1.0),
    "ldm_vq_f8_n256": (250001 * 14, 0.75, 3, 1.0),
    "ldm_vq_f16": (250001 * 14, 0.75, 2, 1.0),
    "ldm_kl": (50001 * 24, 0.5, 3, 1.0),
}


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("size", ["tiny", "paper"])
def test_published_options(name, size):
    loss = options.composed(f"size={size}", f"autoencoder/loss={name}")["first_stage"]["loss"]
    found = (loss["start_images"], loss["weight"], loss["discriminator"]["num_layers"], loss["latent_weight"])
    assert found == PUBLISHED[name]
    assert loss["pixel"]["_target_"].endswith(".L1") and loss["perceptual"]["weight"] == 1
    assert loss["objective"]["_target_"].endswith(".Hinge") and loss["auxiliary"] is None
    assert loss["discriminator"]["width"] == 64 and loss["discriminator"]["norm"]["_target_"].endswith(".BatchNorm2d")
    per_value = 3 * 256 * 256 if name == "ldm_kl" else 1
    assert loss["largest_weight"] == pytest.approx(1e4 / per_value, rel=1e-6)


def test_lpips_without_the_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(FridoError, match="not installed") as refused:
        Lpips(weight=1.0, network="vgg", trunk=str(tmp_path / "none.pth"))
    assert WITHOUT in refused.value.do


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
