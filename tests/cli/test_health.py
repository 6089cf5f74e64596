"""What held-out images say, on autoencoders of which the answer is known."""

import pytest
import torch

from frido.autoencoders.identity import Identity
from frido.autoencoders.losses.base import Perceptual
from frido.cli import health
from frido.cli.build import build
from frido.cli.compose import compose
from frido.metrics.evaluation import Evaluation
from frido.metrics.image_quality import psnr, ssim

NOTHING = {"perceptual": None, "evaluation": Evaluation(metrics={}), "reference": None}
IMAGES = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def numbered(images):
    return torch.arange(len(images)), images


class Brightness(Perceptual):
    """The brightness of the original stands for its distance."""

    weight = 1.0

    def forward(self, made, images):
        return images.mean(dim=(1, 2, 3))


def test_images_that_come_back_whole():
    found = health.measure(Identity(factors=[1], seed=0), [numbered(IMAGES)], **NOTHING)
    assert found.numbers.keys() == {"psnr", "ssim"}, "one scale has no contribution of its own, no code is dead"
    assert found.numbers["psnr"] == pytest.approx(100)
    assert found.numbers["ssim"] == pytest.approx(1, abs=1e-3)
    assert found.cards == {}


def test_numbers_are_means_over_images_however_they_are_cut():
    autoencoder = Identity(factors=[4, 2], seed=0)
    made = autoencoder(IMAGES)
    expected = {
        "psnr": psnr(made.images, IMAGES).mean(),
        "ssim": ssim(made.images, IMAGES).mean(),
        "lpips": IMAGES.mean(),
        "psnr_alone_0": psnr(made.alone(0), IMAGES).mean(),
        "psnr_alone_1": psnr(made.alone(1), IMAGES).mean(),
    }
    pieces = [numbered(IMAGES[:1]), numbered(IMAGES[1:])]
    found = health.measure(autoencoder, pieces, **NOTHING | {"perceptual": Brightness()}).numbers
    assert found == pytest.approx({name: float(value) for name, value in expected.items()}, rel=1e-5)
    assert found["psnr_alone_0"] < found["psnr_alone_1"]


@torch.no_grad()
def test_a_row_for_every_scale():
    """From the coarsest scale to all of them, then the finer ones alone."""
    autoencoder = Identity(factors=[4, 2, 1], seed=0)
    rows = health.rows(autoencoder, IMAGES)
    assert list(rows) == ["real", "scale 0", "scales 0 to 1", "scales 0 to 2", "scale 1 alone", "scale 2 alone"]
    assert torch.equal(rows["real"], IMAGES) and torch.equal(rows["scales 0 to 2"], IMAGES)
    made = autoencoder(IMAGES)
    assert torch.equal(rows["scale 0"], made.alone(0)) and torch.equal(rows["scales 0 to 1"], made.alone(1))
    assert not torch.equal(rows["scale 0"], IMAGES)
    assert list(health.rows(Identity(factors=[1], seed=0), IMAGES)) == ["real", "scale 0"]


def test_distances_are_those_of_reconstructions_and_the_judge_is_not_asked():
    evaluation = build(compose("run", ["size=tiny"])["metrics"])
    images = torch.rand(104, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    asked = NOTHING | {"evaluation": evaluation.of_features()}
    pieces = zip(torch.arange(104).split(52), images.split(52), strict=True)
    found = health.measure(Identity(factors=[1], seed=0), pieces, **asked)
    assert found.numbers.keys() == {"psnr", "ssim", "rfid/scenes@104", "rkid/scenes@104"}
    assert found.numbers["rfid/scenes@104"] == pytest.approx(0, abs=1e-2)
    assert found.cards["rfid/scenes@104"]["extractor"] == "scenes"
    few = health.measure(Identity(factors=[1], seed=0), [numbered(images[:8])], **asked)
    assert "rfid/scenes@8" not in few.numbers and "8 images" in few.cards["rfid/scenes@8"]["refused"]
