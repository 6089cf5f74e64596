"""Noise schedules, DDIM times and factors, time embeddings: the official numbers."""

import pytest
import torch

from frido.diffusion.schedules.cosine import Cosine
from frido.diffusion.schedules.linear import Linear
from frido.diffusion.schedules.sqrt import Sqrt
from frido.diffusion.schedules.sqrt_linear import SqrtLinear
from frido.diffusion.spacings.official import Official
from frido.diffusion.spacings.quadratic import Quadratic
from frido.nn.embeddings import sinusoidal
from tests.parity import golden

PAIRS = golden.cases("frido.modules.diffusionmodules.util")
LDM = {"num_steps": 1000, "start": 1e-4, "end": 2e-2}
FRIDO = SqrtLinear(num_steps=1000, start=0.0015, end=0.0155)
SCHEDULES = {
    "linear_default": SqrtLinear(**LDM),
    "linear_frido": FRIDO,
    "cosine": Cosine(num_steps=1000, offset=8e-3, max_beta=0.999),
    "sqrt_linear": Linear(**LDM),
    "sqrt": Sqrt(**LDM),
}
SPACINGS = {"uniform": Official(), "quad": Quadratic()}


@pytest.mark.parametrize("path", PAIRS)
def test_betas(path):
    pair = golden.load(path)
    names = [name.removeprefix("betas/") for name in pair.tensors if name.startswith("betas/")]
    assert names
    for name in names:
        betas = SCHEDULES[name].betas()
        torch.testing.assert_close(betas, pair[f"betas/{name}"], atol=1e-7, rtol=0, msg=name)


@pytest.mark.parametrize("path", PAIRS)
def test_times(path):
    pair = golden.load(path)
    names = [name for name in pair.tensors if name.startswith("ddim_ts/")]
    assert names
    for name in names:
        kind, steps = name.removeprefix("ddim_ts/").split("_")
        times = SPACINGS[kind].times(FRIDO, steps=int(steps))
        assert times[-1] == 0
        assert times[:-1].flip(0).tolist() == pair[name].tolist(), name


@pytest.mark.parametrize("path", PAIRS)
def test_factors_of_ddim(path):
    """Alphas are variances there, so they are squares of ours."""
    pair = golden.load(path)
    runs = {name.rsplit("/", 1)[0] for name in pair.tensors if name.startswith("ddim/")}
    assert runs
    for run in sorted(runs):
        kind, steps, eta = run.removeprefix("ddim/").split("_")
        times = SPACINGS[kind].times(FRIDO, steps=int(steps))
        alpha_bar = (FRIDO.alpha(times) ** 2).flip(0)
        now, before = alpha_bar[1:], alpha_bar[:-1]
        torch.testing.assert_close(now, pair[f"{run}/alphas"], atol=1e-7, rtol=0, msg=run)
        torch.testing.assert_close(before, pair[f"{run}/alphas_prev"], atol=1e-7, rtol=0, msg=run)
        sigmas = float(eta.removeprefix("eta")) * ((1 - before) / (1 - now) * (1 - now / before)).sqrt()
        torch.testing.assert_close(sigmas, pair[f"{run}/sigmas"], atol=1e-7, rtol=0, msg=run)


@pytest.mark.parametrize("path", PAIRS)
def test_time_embeddings(path):
    pair = golden.load(path)
    widths = [name.rsplit("/", 1)[1] for name in pair.tensors if name.startswith("timestep_embedding/")]
    for width in sorted(set(widths) - {"t"}):
        ours = sinusoidal(pair["timestep_embedding/t"].float(), int(width))
        torch.testing.assert_close(ours, pair[f"timestep_embedding/{width}"], atol=1e-6, rtol=0, msg=width)
