"""Chains of one scale with a toy network: every step of the official LDM samplers, DDIM and PLMS."""

import pytest
import torch

from frido.contracts.denoiser import Condition, Denoiser
from frido.diffusion.given import Anchor, Given
from frido.diffusion.guidance.classifier_free import ClassifierFree
from frido.diffusion.parameterizations.eps import Eps
from frido.diffusion.samplers.ddim import Ddim
from frido.diffusion.samplers.plms import Plms
from frido.diffusion.spacings.official import Official
from tests.parity import golden
from tests.parity.recorded_runs import Recorded, cases

BASHFORTH = {1: (3, -1), 2: (23, -16, 5), 3: (55, -59, 37, -9)}
"""Multiples of the noises seen, newest first, by how many came before."""

CLOSE = {"atol": 1e-5, "rtol": 1e-5}

RUNS = cases("ldm.models.diffusion.")


class Toy(Denoiser):
    """`tanh(0.8 x) + 0.1 sin(t / 100) + 0.2 c`; keeps what it saw."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def condition(self, *, scale, coarse, context, level=None):
        raise NotImplementedError

    def forward(self, noisy, time, condition):
        self.seen.append(noisy)
        per_sample = 0.1 * torch.sin(time / 100) + 0.2 * condition.embedding[:, 0]
        return torch.tanh(0.8 * noisy) + per_sample[:, None, None, None]


@pytest.fixture
def pair(path):
    return golden.load(path)


def build(pair, run):
    """Return the sampler and the denoiser of a run, and the toy inside of it."""
    settings = pair.config["runs"][run]
    common = {"parameterization": Eps(), "spacing": Official(), "steps": settings["S"]}
    schedule = Recorded(pair["betas"])
    if settings["sampler"] == "ddim":
        sampler = Ddim(schedule=schedule, eta=settings["eta"], **common)
    else:
        assert settings["sampler"] == "plms"
        sampler = Plms(schedule=schedule, first_calls=2, **common)
    toy = Toy()
    conditions = [Condition(0, embedding=pair[f"{run}/{name}"][:, None]) for name in ("c", "uc")]
    guidance = ClassifierFree(weight=settings["guidance_scale"])
    return sampler, guidance(toy, *conditions, schedule=schedule), toy


def anchor(pair, run):
    """Return what the run is given: official masks are 1 where `x0` is kept, noised with the same noise every time."""
    if not pair.config["runs"][run]["mask"]:
        return None
    given = Given(pair[f"{run}/x0"], pair[f"{run}/mask"].bool(), strength=1.0)
    return Anchor(given, lambda step: pair["mask_noise"])


def noise(pair, run):
    return lambda step: pair[f"{run}/noise"][step]


@pytest.mark.parametrize(("path", "run"), RUNS)
def test_times_and_factors(pair, run):
    sampler, _, _ = build(pair, run)
    times, schedule = sampler.times, sampler.schedule
    assert times[:-1].flip(0).tolist() == pair[f"{run}/timesteps"].tolist()
    alpha_bar = (schedule.alpha(times) ** 2).flip(0)
    now, before = alpha_bar[1:], alpha_bar[:-1]
    torch.testing.assert_close(now, pair[f"{run}/alphas"].double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(before, pair[f"{run}/alphas_prev"], atol=1e-6, rtol=0)
    eta = pair.config["runs"][run]["eta"]
    fresh = eta * ((1 - before) / (1 - now) * (1 - now / before)).sqrt()
    torch.testing.assert_close(fresh, pair[f"{run}/sigmas"], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("path", "run"), RUNS)
def test_chain(pair, run):
    """Every latent between two steps, and the last."""
    sampler, denoise, toy = build(pair, run)
    end = sampler(denoise, pair[f"{run}/x_T"], noise=noise(pair, run), anchor=anchor(pair, run))
    torch.testing.assert_close(end, pair[f"{run}/final"], **CLOSE)
    torch.testing.assert_close(end, pair[f"{run}/x_prev"][-1], **CLOSE)

    plms = pair.config["runs"][run]["sampler"] == "plms"
    calls = [0, *range(2, len(toy.seen))] if plms else range(len(toy.seen))  # the second is made ahead
    assert len(calls) == len(sampler.times) - 1
    batch = len(end)
    held = anchor(pair, run)
    for step, call in enumerate(calls):
        noisy = pair[f"{run}/x_T"] if step == 0 else pair[f"{run}/x_prev"][step - 1]
        if held is not None:
            time = sampler.times[step]
            factors = sampler.schedule.alpha(time).float(), sampler.schedule.sigma(time).float()
            noisy = factors[0] * held.given.latent + factors[1] * pair["mask_noise"]
            noisy = torch.where(held.given.keep, noisy, pair[f"{run}/x_prev"][step - 1] if step else pair[f"{run}/x_T"])
        torch.testing.assert_close(toy.seen[call][:batch], noisy, **CLOSE)


@pytest.mark.parametrize(("path", "run"), RUNS)
def test_clean_latents(pair, run):
    """What each step aims at; for PLMS, of the noise extrapolated from four calls."""
    sampler, denoise, _ = build(pair, run)
    aims = []

    class Watched(Eps):
        def to_clean(self, prediction, noisy, alpha, sigma):
            aims.append((prediction, noisy, alpha, sigma))
            return super().to_clean(prediction, noisy, alpha, sigma)

    sampler.parameterization = Watched()
    sampler(denoise, pair[f"{run}/x_T"], noise=noise(pair, run), anchor=anchor(pair, run))
    noises = [prediction for prediction, *_ in aims]
    if pair.config["runs"][run]["sampler"] == "plms":
        first, ahead, *rest = noises
        seen = [first, *rest]
        noises = [(first + ahead) / 2]
        for k in range(1, len(seen)):
            weights = BASHFORTH[min(k, 3)]
            noises.append(sum(weight * seen[k - age] for age, weight in enumerate(weights)) / sum(weights))
        aims = [aims[0], *aims[2:]]
    for (_, noisy, alpha, sigma), eps, expected in zip(aims, noises, pair[f"{run}/pred_x0"], strict=True):
        # divided by alpha, which is 0.03 at the noisy end
        torch.testing.assert_close((noisy - sigma * eps) / alpha, expected, atol=1e-5, rtol=2e-5)
