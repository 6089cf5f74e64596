"""The patch discriminator: logits in both modes, both objectives, what a training pass leaves behind."""

from functools import partial

import pytest
import torch
from torch import nn

from frido.autoencoders.losses.act_norm import ActNorm
from frido.autoencoders.losses.hinge import Hinge
from frido.autoencoders.losses.patch_discriminator import PatchDiscriminator
from frido.autoencoders.losses.vanilla import Vanilla
from tests.parity import golden

CLOSE = {"atol": 1e-5, "rtol": 1e-4}
DEFAULTS = {"n_layers": 3, "ndf": 64, "use_actnorm": False}
"""Of the official class."""


def make(settings, weights):
    """Return our discriminator with official weights, whose names are the same."""
    settings = DEFAULTS | settings
    norm = ActNorm if settings["use_actnorm"] else partial(nn.BatchNorm2d)
    network = PatchDiscriminator(
        width=settings["ndf"], num_layers=settings["n_layers"], norm=norm, bias=norm is ActNorm, seed=0
    )
    network.load_state_dict(weights, strict=True)
    return network


def part(weights, prefix):
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


@pytest.fixture(params=golden.cases("taming.modules.discriminator.model.NLayerDiscriminator"))
def pair(request):
    return golden.load(request.param)


def test_every_recorded_tensor(pair):
    read = {"x_real", "x_fake"}
    for name, settings in pair.config["configs"].items():
        network = make(settings, part(pair.weights, f"{name}/"))
        found = {}
        with torch.no_grad():
            real, fake = (network.eval()(pair[images]) for images in ("x_real", "x_fake"))
            found |= {"logits_real_eval": real, "logits_fake_eval": fake}
            found |= {"hinge": Hinge()(real, fake), "vanilla": Vanilla()(real, fake)}
            found["logits_real_train"] = network.train()(pair["x_real"])
            found |= {f"after_train/{key}": value for key, value in network.state_dict().items()}
        recorded = part(pair.tensors, f"{name}/")
        assert {"logits_real_eval", "logits_fake_eval", "hinge", "vanilla"} <= recorded.keys()
        for key, expected in recorded.items():
            close = {"atol": 0, "rtol": 1e-5} if key in ("hinge", "vanilla") else CLOSE
            torch.testing.assert_close(
                found[key], expected, **close, msg=lambda text, at=f"{name}/{key}": f"{at}: {text}"
            )
            read.add(f"{name}/{key}")
    assert read == pair.tensors.keys(), "a recorded tensor is not read"


def test_a_width_of_another_kind_is_refused(pair):
    name, settings = next(iter(pair.config["configs"].items()))
    with pytest.raises(RuntimeError, match="size mismatch"):
        make(settings | {"ndf": 24}, part(pair.weights, f"{name}/"))
