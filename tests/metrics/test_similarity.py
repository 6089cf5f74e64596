"""Numbers of single pairs of pictures: by hand, and whatever the order, the batches and the processes."""

import math
import sys
import types

import pytest
import torch
from torch import nn

from frido.contracts.metric import Pictures
from frido.metrics.image_quality import psnr, ssim
from frido.metrics.lpips_distance import LpipsDistance
from frido.metrics.lpips_network import LpipsNetwork
from frido.metrics.similarity import Similarity
from tests.metrics.pictures import held_out


def given(metric, real, generated, *, order=None, batch=1000, first=0):
    order = torch.arange(len(real)) if order is None else order
    for rows in order.split(batch):
        sides = (Pictures(first + rows, side[rows]) for side in (real, generated))
        metric.update(**dict(zip(("real", "generated"), sides, strict=True)), scenes=[])
    return metric


def test_psnr_by_hand():
    """One grey value off everywhere is 20 log10(255) dB; two values on half of the pixels the same less 3 dB."""
    real = torch.full((2, 3, 16, 16), 100, dtype=torch.uint8)
    generated = real.clone()
    generated[0] += 1
    generated[1, :, :8] += 2
    metric = given(Similarity(), real, generated)
    numbers, rows = metric.compute(), metric.rows()
    assert rows[0]["psnr@2"] == pytest.approx(20 * math.log10(255), abs=1e-9)
    assert rows[1]["psnr@2"] == pytest.approx(20 * math.log10(255) - 10 * math.log10(2), abs=1e-9)
    assert numbers["psnr@2"] == pytest.approx((rows[0]["psnr@2"] + rows[1]["psnr@2"]) / 2, abs=1e-12)
    assert metric.card()["images"] == 2


def test_equal_images():
    images, _ = held_out(4)
    numbers = given(Similarity(), images, images).compute()
    assert numbers == pytest.approx({"psnr@4": 100, "ssim@4": 1}, abs=1e-9)


def test_it_is_the_mean_of_what_training_shows():
    images, _ = held_out(40)
    generated = images.flip(3)
    made, true = (side.double() / 127.5 - 1 for side in (generated, images))
    numbers = given(Similarity(), images, generated).compute()
    assert numbers["psnr@40"] == pytest.approx(psnr(made, true).mean().item(), rel=1e-12)
    assert numbers["ssim@40"] == pytest.approx(ssim(made, true).mean().item(), rel=1e-12)
    assert ssim(made.float(), true.float()).mean().item() == pytest.approx(numbers["ssim@40"], abs=1e-3)


def test_order_and_batches_change_no_bit():
    images, _ = held_out(50)
    whole = given(Similarity(), images, images.flip(3))
    numbers, rows = whole.compute(), whole.rows()
    other = given(Similarity(), images, images.flip(3), order=torch.arange(49, -1, -1), batch=7)
    assert other.compute() == numbers
    assert list(other.rows()) == list(rows) == list(range(50))
    assert other.rows() == rows


def test_sizes_that_differ_are_refused():
    metric = Similarity()
    small, large = (torch.zeros(2, 3, side, side, dtype=torch.uint8) for side in (16, 32))
    given(metric, small, small)
    given(metric, large, large, first=2)
    assert metric.compute() == {} and metric.rows() == {}
    refused = metric.card()["refused"]
    assert set(refused) == {"psnr@4", "ssim@4"}
    assert "16 x 16, 32 x 32" in refused["psnr@4"]


def test_a_pair_of_two_sizes_is_refused():
    metric = given(Similarity(), *(torch.zeros(2, 3, side, side, dtype=torch.uint8) for side in (16, 32)))
    assert metric.compute() == {} and "several sizes" in metric.card()["refused"]["ssim@2"]


def test_images_without_room_for_a_window_are_refused():
    tiny = torch.zeros(2, 3, 5, 20, dtype=torch.uint8)
    metric = given(Similarity(), tiny, tiny)
    assert metric.compute() == {}
    assert "20 x 5 pixels; needed are 6" in metric.card()["refused"]["ssim@2"]


def test_no_pairs_give_no_number():
    metric = Similarity()
    assert metric.compute() == {}
    assert metric.card()["refused"] == dict.fromkeys(("psnr@0", "ssim@0"), "no pictures were given")


# LPIPS, with a stand-in for its package


class Network(nn.Module):
    def __init__(self, *, net, pnet_rand, verbose):
        super().__init__()
        self.net = nn.ModuleDict({"slice1": nn.ModuleDict({"0": nn.Conv2d(3, 2, 1)})})

    def forward(self, one, other):
        assert one.min() >= -1 and one.max() <= 1 and one.is_floating_point()
        layer = self.net["slice1"]["0"]
        return (layer(one) - layer(other)).square().mean(dim=(1, 2, 3), keepdim=True)


@pytest.fixture
def network(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lpips", types.SimpleNamespace(LPIPS=Network))
    torch.save({"features.0.weight": torch.ones(2, 3, 1, 1), "features.0.bias": torch.zeros(2)}, tmp_path / "vgg.pth")
    return LpipsNetwork(name="vgg", trunk=str(tmp_path / "vgg.pth"))


def test_lpips_by_hand(network):
    """The stand-in adds up RGB: of images one value apart, the squared distance is (3 / 127.5)^2."""
    images, _ = held_out(20)
    generated = images.clamp_max(254) + 1
    images = generated - 1
    metric = given(LpipsDistance(network=network), images, generated, batch=7)
    assert metric.compute() == pytest.approx({"lpips/vgg@20": (3 / 127.5) ** 2}, rel=1e-5)
    assert len(metric.rows()) == 20
    assert len(metric.card()["weights_sha256"]) == 64


def test_lpips_of_one_picture_depends_on_no_other(network):
    images, _ = held_out(40)
    whole = given(LpipsDistance(network=network), images, images.flip(3))
    parts = given(LpipsDistance(network=network), images, images.flip(3), order=torch.randperm(40), batch=9)
    assert whole.compute() == parts.compute()
    assert whole.rows() == parts.rows()
