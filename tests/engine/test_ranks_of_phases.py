"""The phases that real recipes train: a step of two processes is the step of one. All cases share one start."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from frido.cli.compose import compose

NARROW = [
    "size=tiny",
    "size.autoencoder_width=32",
    "size.num_codes=16",
    "size.width=32",
    "size.context_width=16",
    "task.condition_dropout=0.5",
]
GAN = ["autoencoder/loss=adversarial", "size.adversarial_images=0", "first_stage.loss.discriminator.width=8"]
WITHOUT_NORM = [*GAN, "first_stage.loss.discriminator.norm={_target_: torch.nn.Identity, _partial_: true}"]
ACTNORM = [*GAN, "autoencoder/loss/discriminator=patch_3_actnorm"]
# Two things are felt once for each micro-batch, so where gradients accumulate they are held still: running means as
# codebooks, and the adaptive weight, which is then always at its largest.
STILL_CODES, STILL_WEIGHT = "autoencoder/quantizer=vq", "first_stage.loss.largest_weight=1e-3"
LDM = ["autoencoder=vqgan", "denoiser=unet"]

CASES = {
    "autoencoder": ("autoencoder", None, []),
    "autoencoder, accumulating": ("autoencoder", 2, [STILL_CODES]),
    "gan without norm": ("autoencoder", None, WITHOUT_NORM),
    "gan without norm, accumulating": ("autoencoder", 2, [*WITHOUT_NORM, STILL_CODES, STILL_WEIGHT]),
    "gan with actnorm": ("autoencoder", None, ACTNORM),
    "gan with actnorm, accumulating": ("autoencoder", 2, [*ACTNORM, STILL_CODES, STILL_WEIGHT]),
    "denoiser": ("denoiser", None, []),
    "denoiser, accumulating": ("denoiser", 2, []),
    "denoiser of one scale per sample, accumulating": ("denoiser", 2, ["task/scales=quotas"]),
    "unet": ("denoiser", None, LDM),
    "unet, accumulating": ("denoiser", 2, LDM),
}
"""By name: the stage, images per forward pass of a process, and what differs from the main job."""


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Where two processes wrote, and what each of them found: alone, and together."""
    root = tmp_path_factory.mktemp("ranks")
    cases = {
        name: {"config": compose("run", [*NARROW, *overrides]), "stage": stage, "micro_batch": micro_batch}
        for name, (stage, micro_batch, overrides) in CASES.items()
    }
    (root / "cases.json").write_text(json.dumps(cases))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("ranks_of_phases.py")), str(root)]
    started = [subprocess.Popen(command, env=os.environ | common | {"RANK": str(rank)}) for rank in (0, 1)]
    assert [process.wait(timeout=300) for process in started] == [0, 0]
    return root, [torch.load(root / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_that_of_one_process(ranks, name):
    """Gradients and buffers of all phases are the same on both ranks, and but for rounding those of one process."""
    _, found = ranks
    alone, together = found[0]["alone"], [rank["together"] for rank in found]
    expected = alone[name]["gradients"]
    assert {"autoencoder": "autoencoder.", "denoiser": "denoiser."}[CASES[name][0]] in " ".join(expected)
    assert ("loss.opponent." in " ".join(expected)) == ("gan" in name)
    assert {gradient.dtype for gradient in expected.values()} == {torch.float64}
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    for rank in together:
        assert rank[name]["gradients"].keys() == expected.keys()
        for parameter, gradient in expected.items():
            # What is 0 in theory, like that of a bias before a norm, is rounding of the rest.
            allowed = 1e-9 * float(gradient.abs().max()) + 1e-14 * largest
            difference = float((rank[name]["gradients"][parameter] - gradient).abs().max())
            assert difference <= allowed, f"{parameter}: {difference} of {float(gradient.abs().max())}"
        torch.testing.assert_close(rank[name]["buffers"], alone[name]["buffers"], atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(together[0][name], together[1][name], atol=0, rtol=0)


@pytest.mark.parametrize("name", CASES)
def test_a_logged_line_is_that_of_one_process(ranks, name):
    """Losses of the discriminator are taken in float32."""
    root, _ = ranks
    alone, together = (
        json.loads((root / folder / name / "metrics.jsonl").read_text()) for folder in ("alone 0", "together")
    )
    of_batches = ("perplexity", "usage")  # of the images seen at once
    compared = {key for key in alone if not any(word in key for word in of_batches)}
    assert alone.keys() == together.keys() and len(compared) > 3
    for key in compared:
        assert together[key] == pytest.approx(alone[key], rel=1e-6, abs=1e-12), key


def test_a_buffer_that_differs_is_noticed(ranks):
    root, found = ranks
    assert all(rank["alone"]["drifting"] == "" for rank in found)
    assert all("differ between ranks" in rank["together"]["drifting"] for rank in found)
    assert not list((root / "together" / "drifting").glob("checkpoints/*"))
