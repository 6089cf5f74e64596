"""The loss of VQGAN and Frido, before and after the discriminator joins: every term, the balance, both gradients.

Official words: `nll_loss` and `rec_loss` are both our `reconstruction`, `quant_loss` is our `latent_loss`, `d_weight`
is the adaptive weight times `disc_weight`, and `disc_factor` is 0 before the start. The adversarial terms are recorded
before the start too, to be multiplied by 0; our loss does not compute them then, so the test asks for them.
"""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from frido.autoencoders.base import Reconstruction
from frido.autoencoders.losses.adversarial import AdversarialLoss, adaptive_weight
from frido.autoencoders.losses.base import Perceptual
from frido.autoencoders.losses.hinge import Hinge
from frido.autoencoders.losses.l1 import L1
from frido.autoencoders.losses.vanilla import Vanilla
from tests.parity import golden, test_discriminator

SCALAR, TENSOR = {"atol": 1e-6, "rtol": 1e-5}, {"atol": 1e-6, "rtol": 1e-4}
DEFAULTS = {"codebook_weight": 1.0, "disc_num_layers": 3, "disc_in_channels": 3, "disc_factor": 1.0, "disc_weight": 1.0}
DEFAULTS |= {"perceptual_weight": 1.0, "use_actnorm": False, "disc_conditional": False, "disc_ndf": 64}
DEFAULTS |= {"disc_loss": "hinge"}
"""Of the official class."""
OBJECTIVES = {"hinge": Hinge, "vanilla": Vanilla}


class ToyPerceptual(Perceptual):
    """What the recording put in place of LPIPS."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, made, images):
        return (F.avg_pool2d(images, 4) - F.avg_pool2d(made, 4)).abs().mean(dim=(1, 2, 3))


def make(settings, weights, *, batch):
    """Return our loss for official `settings`, as its discriminator was recorded: in evaluation mode."""
    assert settings["disc_in_channels"] == 3 and not settings["disc_conditional"]
    shape = {"ndf": settings["disc_ndf"], "n_layers": settings["disc_num_layers"]}
    discriminator = test_discriminator.make(shape | {"use_actnorm": settings["use_actnorm"]}, weights)
    perceptual = settings["perceptual_weight"]
    loss = AdversarialLoss(
        pixel=L1(),
        perceptual=ToyPerceptual(perceptual) if perceptual else None,
        auxiliary=None,
        latent_weight=settings["codebook_weight"],
        discriminator=discriminator,
        objective=OBJECTIVES[settings["disc_loss"]](),
        start_images=settings["disc_start"] * batch,
        weight=settings["disc_weight"] * settings["disc_factor"],
        largest_weight=1e4,
    )
    return loss.eval()


def compute(loss, settings, recorded, step):
    """Return all that was recorded of one step, under official names."""
    images, batch = recorded["x"], len(recorded["x"])
    weight = nn.Parameter(recorded["last/weight"].clone())
    value = F.conv2d(recorded["feat"], weight, recorded["last/bias"], padding="same")
    made = Reconstruction(value, recorded["codebook_loss"], (), None)
    positions = step * batch + torch.arange(batch)
    parts = loss(made, images, positions=positions, last_layer=weight)
    fooled = loss.opponent.fooled(value)
    ratio = adaptive_weight(parts["reconstruction"], fooled, weight, largest=loss.largest_weight)
    parts["loss"].backward(retain_graph=True)
    playing = loss.opponent.playing(positions)
    if playing:
        assert torch.equal(parts["adversarial"], fooled)
        torch.testing.assert_close(parts["adaptive_weight"], loss.weight * ratio)
    answered = loss.opponent(value, images)
    played = settings["disc_factor"] * (answered if playing else loss.opponent.idle())["loss"]
    return {
        "rec": value,
        "g_total": parts["loss"],
        "train/total_loss": parts["loss"],
        "train/quant_loss": parts["latent_loss"],
        "train/nll_loss": parts["reconstruction"],
        "train/rec_loss": parts["reconstruction"],
        "train/p_loss": parts.get("perceptual", torch.zeros(())),
        "train/rec_aux_loss": torch.zeros(()),
        "train/d_weight": settings["disc_weight"] * ratio,
        "train/disc_factor": torch.tensor(settings["disc_factor"] if playing else 0.0),
        "train/g_loss": fooled,
        "grad_last_weight": weight.grad,
        "d_total": played,
        "train/disc_loss": played,
        "train/logits_real": answered["logits_real"],
        "train/logits_fake": answered["logits_made"],
    }


@pytest.mark.parametrize("path", golden.cases("taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator"))
def test_every_recorded_tensor(path):
    pair = golden.load(path)
    read = set()
    for name, given in pair.config["configs"].items():
        settings = DEFAULTS | given
        recorded = test_discriminator.part(pair.tensors, f"{name}/")
        weights = test_discriminator.part(pair.weights, f"{name}/discriminator.")
        loss = make(settings, weights, batch=len(recorded["x"]))
        read |= {f"{name}/{key}" for key in ("x", "feat", "codebook_loss", "last/weight", "last/bias")}
        steps = sorted({int(match[1]) for key in recorded if (match := re.match(r"step(\d+)/", key))})
        assert steps
        for step in steps:
            found = compute(loss, settings, recorded, step)
            torch.testing.assert_close(found.pop("rec"), recorded["rec"], atol=1e-5, rtol=1e-4)
            read.add(f"{name}/rec")
            for key, expected in test_discriminator.part(recorded, f"step{step}/").items():
                at = f"{name}/step{step}/{key}"
                close = SCALAR if expected.numel() == 1 else TENSOR
                torch.testing.assert_close(
                    found[key].reshape(expected.shape), expected, **close, msg=lambda text, at=at: f"{at}: {text}"
                )
                read.add(at)
    assert read == pair.tensors.keys(), "a recorded tensor is not read"
