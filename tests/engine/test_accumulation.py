"""A step in four parts is the step at once for the phases that real recipes train, but for what is documented."""

import sys
from pathlib import Path

import pytest
import torch

from frido.cli.compose import compose

sys.path.insert(0, str(Path(__file__).parent))  # the program below is written to be started as one

import ranks_of_phases

NARROW = [
    *("size=tiny", "size.autoencoder_width=32", "size.num_codes=16", "size.width=32", "size.context_width=16"),
    "task.condition_dropout=0.5",
]
VQ, GAN = ["autoencoder/quantizer=vq"], ["autoencoder/loss=adversarial", "size.adversarial_images=0"]
GAN = [*VQ, *GAN, "first_stage.loss.discriminator.width=8"]
NORM_FREE = [*GAN, "first_stage.loss.discriminator.norm={_target_: torch.nn.Identity, _partial_: true}"]
ACTNORM = [*GAN, "autoencoder/loss/discriminator=patch_3_actnorm"]
FIXED = ["first_stage.loss.largest_weight=1e-3"]

EXACT = {
    "denoiser": ("denoiser", [], "denoiser."),
    "conditioner": ("denoiser", [], "conditioner."),
    "fixed weight, norm-free": ("autoencoder", [*NORM_FREE, *FIXED], "autoencoder."),
    "norm-free discriminator": ("autoencoder", [*NORM_FREE, *FIXED], "loss."),
    "actnorm discriminator": ("autoencoder", [*ACTNORM, *FIXED], "loss."),
}
EXCEPTIONS = {
    "codebook of running means": ("autoencoder", [], "autoencoder.", 0.22),
    "adaptive weight": ("autoencoder", NORM_FREE, "autoencoder.", 0.037),
    "batch-norm discriminator": ("autoencoder", [*GAN, *FIXED], "loss.", 0.075),
}
"""By name: the stage, what differs from the main job, which parameters; of exceptions what docs/training.md says."""
SLOW = ("actnorm discriminator", "codebook of running means")


def marked(names):
    return [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in names]


@pytest.fixture(scope="module")
def difference(tmp_path_factory):
    """Return the relative difference of the gradients of one step of 8 images at once and two at a time, in float64."""
    steps: dict[tuple, list] = {}

    def measured(stage, overrides, prefix):
        key = (stage, *overrides)
        if key not in steps:
            config = compose("run", [*NARROW, *overrides])
            steps[key] = [
                ranks_of_phases.step(config, stage=stage, micro_batch=micro, directory=tmp_path_factory.mktemp("step"))
                for micro in (None, 2)
            ]
        whole, parts = ({n: g for n, g in one["gradients"].items() if n.startswith(prefix)} for one in steps[key])
        assert whole and whole.keys() == parts.keys()
        apart = sum((whole[name] - parts[name]).square().sum() for name in whole)
        return float((apart / sum(gradient.square().sum() for gradient in whole.values())).sqrt())

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield measured
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", marked(EXACT))
def test_exact(difference, name):
    assert difference(*EXACT[name]) < 1e-11  # the discriminator's loss is taken in float32


@pytest.mark.parametrize("name", marked(EXCEPTIONS))
def test_exceptions_are_of_the_documented_size(difference, name):
    *case, documented = EXCEPTIONS[name]
    assert documented / 3 < difference(*case) < documented * 3
