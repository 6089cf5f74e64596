"""Chains of several scales with a toy network: every step of the official sampler."""

from itertools import pairwise

import pytest
import torch

from frido.contracts.context import Context
from frido.contracts.denoiser import Condition, Denoiser
from frido.diffusion.guidance.classifier_free import ClassifierFree
from frido.diffusion.layouts.stacked import Stacked
from frido.diffusion.noising.none import NoNoise
from frido.diffusion.parameterizations.eps import Eps
from frido.diffusion.pyramid_chains import ChainNoise, run_chains
from frido.diffusion.samplers.ddim import Ddim
from frido.diffusion.spacings.official import Official
from tests.parity import golden
from tests.parity.recorded_runs import Recorded, cases


class Toy(Denoiser):
    """`tanh(0.8 x) + 0.1 sin(t / 100) + 0.05 mean over channels of coarser latents + 0.2 c`; keeps what it saw."""

    def __init__(self, dims):
        super().__init__()
        self.channels = tuple(dims)
        self.seen, self.times, self.said = [], [], []

    def condition(self, *, scale, coarse, context, level=None):
        assert context.pooled is not None
        below = torch.zeros(len(context.pooled), 1, 1, 1)
        if coarse:
            below = torch.cat(coarse, dim=1).mean(dim=1, keepdim=True)
        return Condition(scale, embedding=context.pooled, features=(below,))

    def forward(self, noisy, time, condition):
        per_sample = 0.1 * torch.sin(time / 100) + 0.2 * condition.embedding[:, 0]
        said = torch.tanh(0.8 * noisy) + per_sample[:, None, None, None] + 0.05 * condition.features[0]
        self.seen.append((condition.scale, noisy))
        self.times.append(time)
        self.said.append(said)
        return said


@pytest.mark.parametrize(("path", "run"), cases("frido.models.diffusion.ddim.DDIMSampler"))
def test_chain(path, run):
    pair = golden.load(path)
    settings = pair.config["runs"][run]
    dims, eta, weight = settings["dims"], settings["eta"], settings["guidance_scale"]
    size = settings["shape"][-1]
    own = [(channels, size >> (len(dims) - 1 - s), size >> (len(dims) - 1 - s)) for s, channels in enumerate(dims)]
    starts = [sum(dims[:s]) for s in range(len(dims))]

    def own_channels(tensor, scale, axis):
        return tensor.narrow(axis, starts[scale], dims[scale])

    def noise(scale, step):
        return own_channels(pair[f"{run}/noise_stage{scale}"][step], scale, axis=1)

    toy = Toy(dims)
    schedule, eps = Recorded(pair["betas"]), Eps()
    sampler = Ddim(schedule=schedule, parameterization=eps, spacing=Official(), steps=settings["S"], eta=eta)
    assert sampler.times[:-1].flip(0).tolist() == pair[f"{run}/ddim_timesteps"].tolist()

    final = run_chains(
        denoiser=toy,
        context=Context(pooled=pair[f"{run}/c"][:, None]),
        empty=Context(pooled=pair[f"{run}/uc"][:, None]),
        sampler=sampler,
        guidance=ClassifierFree(weight=weight),
        teacher_forcing=NoNoise(),
        layout=Stacked(),
        own_shapes=own,
        noise=ChainNoise(
            start=lambda scale: own_channels(pair[f"{run}/x_T"], scale, axis=1),
            fresh=noise,
            kept=noise,
            coarse=lambda scale, k: own_channels(pair[f"{run}/x_T"], k, axis=1),
        ),
        given=[None] * len(dims),
    )

    # one network call a step, guided or not
    assert len(toy.seen) == len(dims) * (len(sampler.times) - 1)
    close = {"atol": 1e-5, "rtol": 1e-5}
    for scale in range(len(dims)):
        calls = [i for i, (of, _) in enumerate(toy.seen) if of == scale]
        recorded = own_channels(pair[f"{run}/x_prev_stage{scale}"], scale, axis=2)
        batch = recorded.shape[1]
        for step, (before, after) in enumerate(pairwise(calls)):
            torch.testing.assert_close(toy.seen[after][1][:batch], recorded[step], **close)
            said = toy.said[before]
            if weight != 1:
                empty, full = said.chunk(2)
                said = empty + weight * (full - empty)
            alpha, sigma = (f(toy.times[before][:1]).float() for f in (schedule.alpha, schedule.sigma))
            clean = eps.to_clean(said, toy.seen[before][1][:batch], alpha, sigma)
            expected = own_channels(pair[f"{run}/pred_x0_stage{scale}"], scale, axis=2)[step]
            torch.testing.assert_close(clean, expected, **close)
    arranged = torch.cat(Stacked().arrange(final), dim=1)
    torch.testing.assert_close(arranged, pair[f"{run}/final"], **close)
