"""Chains of a pyramid: their order, what each is shown, and what is given beforehand."""

import pytest
import torch

from frido.contracts.context import Context
from frido.contracts.denoiser import Condition, Denoiser
from frido.contracts.errors import FridoError
from frido.diffusion.given import Given, check_given
from frido.diffusion.guidance.classifier_free import ClassifierFree
from frido.diffusion.noising.base import Forced, TeacherForcing
from frido.diffusion.noising.none import NoNoise
from frido.diffusion.parameterizations.v import V
from frido.diffusion.pyramid_chains import ChainNoise, run_chains
from tests.denoisers import options

OWN = [(2, 4, 4), (3, 12, 12)]
BATCH = 2
SCHEDULE = options.build("diffusion/schedule", "sqrt_linear")
GENERATOR = torch.Generator().manual_seed(0)
LATENTS = [torch.randn(BATCH, *shape, generator=GENERATOR) for shape in OWN]
LEFT = [torch.arange(w).lt(w // 2).expand(BATCH, 1, h, w) for _, h, w in OWN]
WHOLE = [torch.ones(BATCH, 1, h, w, dtype=torch.bool) for _, h, w in OWN]


class Toy(Denoiser):
    """Believes in a clean latent of `tanh(noisy) + context + mean of the coarser`; keeps what it was asked."""

    def __init__(self):
        super().__init__()
        self.channels = tuple(channels for channels, _, _ in OWN)
        self.conditions, self.calls, self.told = [], [], {}

    def condition(self, *, scale, coarse, context, level=None):
        self.conditions.append((scale, coarse, level))
        below = sum((latent.mean((1, 2, 3)) for latent in coarse), torch.zeros(BATCH))
        self.told[scale] = (context.pooled[:, 0] + below)[:, None]
        return Condition(scale, embedding=self.told[scale])

    def forward(self, noisy, time, condition):
        self.calls.append((condition.scale, time[0].item(), noisy))
        alpha, sigma = (factor(time).to(noisy).view(-1, 1, 1, 1) for factor in (SCHEDULE.alpha, SCHEDULE.sigma))
        clean = torch.tanh(noisy) + condition.embedding[:, :, None, None]
        return V().target(clean, (noisy - alpha * clean) / sigma, alpha, sigma)

    def of_scale(self, wanted):
        return [(time, noisy) for scale, time, noisy in self.calls if scale == wanted]


def chains(
    given=(None, None),
    *,
    sampler="ddim",
    steps=4,
    weight=1.0,
    layout="native",
    forcing=None,
    schedule=SCHEDULE,
    watch=None,
    **kinds,
):
    """Return the pyramid and the toy that it was drawn with."""
    toy = Toy()
    layout = options.build("diffusion/layout", layout)
    shapes = layout.shapes(OWN)

    def draw(number, scale):
        generator = torch.Generator().manual_seed(number)
        return torch.randn(BATCH, *shapes[scale], generator=generator)

    noise = {
        "start": lambda scale: draw(scale, scale),
        "fresh": lambda scale, step: draw(1000 + 100 * scale + step, scale),
        "kept": lambda scale, step: draw(2000 + 100 * scale + step, scale),
        "coarse": lambda scale, k: draw(3000 + 100 * scale + k, k),
    }
    pyramid = run_chains(
        denoiser=toy,
        context=Context(pooled=torch.full((BATCH, 1), 0.3)),
        empty=Context(pooled=torch.zeros(BATCH, 1)),
        sampler=options.build("diffusion/sampler", sampler)(schedule=schedule, parameterization=V(), steps=steps),
        guidance=ClassifierFree(weight=weight),
        teacher_forcing=forcing or NoNoise(),
        layout=layout,
        own_shapes=OWN,
        noise=ChainNoise(**(noise | kinds)),
        given=list(given),
        watch=watch,
    )
    return pyramid, toy


@pytest.fixture(params=options.names("diffusion/sampler"))
def sampler(request):
    return request.param


@pytest.fixture(params=options.names("diffusion/layout"))
def layout(request):
    return request.param


def test_scales_follow_each_other_each_in_its_steps_under_its_weight():
    pyramid, toy = chains(steps=[5, 2], weight=[1.0, 3.0])
    assert [tuple(latent.shape[1:]) for latent in pyramid] == OWN
    assert [(scale, len(noisy)) for scale, _, noisy in toy.calls] == [(0, BATCH)] * 5 + [(1, 2 * BATCH)] * 2
    assert [scale for scale, *_ in toy.conditions] == [0, 1, 1]  # the empty one only where it is used
    alone, _ = chains(steps=5)
    assert torch.equal(pyramid[0], alone[0])


@pytest.mark.parametrize("change", [{"steps": [4, 4, 4]}, {"weight": [2.0]}])
def test_a_number_per_scale_or_one_for_all(change):
    with pytest.raises(FridoError, match="per scale"):
        chains(**change)


def test_coarse_latents_are_shown_as_teacher_forcing_says():
    class Told(TeacherForcing):
        tells_level = True

        def train(self, coarse, noise, draw):
            raise NotImplementedError

        def sample(self, coarse, noise):
            mixed = tuple(latent + 10 * eps for latent, eps in zip(coarse, noise, strict=True))
            return Forced(mixed, torch.full((BATCH,), 0.25) if coarse else None)

    ones = torch.ones(BATCH, *OWN[0])
    pyramid, toy = chains(forcing=Told(), coarse=lambda scale, k: ones, weight=2.0)
    assert [(scale, None if level is None else level.tolist()) for scale, _, level in toy.conditions] == [
        *[(0, None)] * 2,
        *[(1, [0.25, 0.25])] * 2,
    ]
    (shown,) = toy.conditions[2][1]
    torch.testing.assert_close(shown[:, :, ::3, ::3], pyramid[0] + 10)


def test_what_is_kept_is_exactly_what_was_given(sampler, layout):
    """At any scale, bit for bit, whatever draws the rest; and the rest is drawn."""
    given = [Given(latent, keep, 1.0) for latent, keep in zip(LATENTS, LEFT, strict=True)]
    pyramid, toy = chains(given, sampler=sampler, layout=layout)
    free, _ = chains(sampler=sampler, layout=layout)
    for latent, drawn, keep, without in zip(LATENTS, pyramid, LEFT, free, strict=True):
        assert torch.equal(torch.where(keep, latent, 0), torch.where(keep, drawn, 0))
        assert (drawn != latent)[~keep.expand_as(drawn)].all()
        assert not torch.equal(drawn, without)
    (shown,) = toy.conditions[1][1]
    grid = shown[:, :, ::3, ::3]
    torch.testing.assert_close(torch.where(LEFT[0], grid, 0), torch.where(LEFT[0], LATENTS[0], 0))


def test_the_network_sees_what_is_kept_at_the_noise_of_the_step(sampler):
    """Before every step, with noise of its own for each."""
    _, toy = chains([None, Given(LATENTS[1], LEFT[1], 1.0)], sampler=sampler, steps=5, kept=lambda *_: 0 * LATENTS[1])
    calls = toy.of_scale(1)
    calls = calls[::2] if sampler == "heun" else calls
    calls = [calls[0], *calls[2:]] if sampler == "plms_official" else calls  # but not where a step is tried
    assert len(calls) == 5
    for time, noisy in calls:
        expected = SCHEDULE.alpha(torch.tensor(time)).float() * LATENTS[1]
        torch.testing.assert_close(torch.where(LEFT[1], noisy, 0), torch.where(LEFT[1], expected, 0))


def test_keeping_nothing_changes_nothing(sampler, layout):
    nowhere = [Given(latent, ~whole, 1.0) for latent, whole in zip(LATENTS, WHOLE, strict=True)]
    free, _ = chains(sampler=sampler, layout=layout)
    assert all(
        torch.equal(*both) for both in zip(chains(nowhere, sampler=sampler, layout=layout)[0], free, strict=True)
    )


def test_a_given_scale_is_not_drawn(layout):
    """Finer ones start from it."""
    pyramid, toy = chains([Given(LATENTS[0], WHOLE[0], 1.0), None], layout=layout)
    assert torch.equal(pyramid[0], LATENTS[0])
    assert {scale for scale, *_ in toy.calls} == {1}
    (shown,) = toy.conditions[0][1]
    assert torch.equal(shown[:, :, ::3, ::3], LATENTS[0])


def test_strength_is_the_share_of_the_schedule_that_is_run(sampler, layout):
    """It starts from what is given, noised to the first time within that share."""
    _, toy = chains([Given(LATENTS[0], None, 0.5), None], sampler=sampler, layout=layout, steps=8)
    (time, noisy), *rest = toy.of_scale(0)
    assert 0.5 * 999 - 999 / 4 < time <= 0.5 * 999 and rest
    assert len(toy.of_scale(0)) < len(toy.of_scale(1))
    alpha, sigma = SCHEDULE.alpha(torch.tensor(time)).float(), SCHEDULE.sigma(torch.tensor(time)).float()
    noise = torch.randn(noisy.shape, generator=torch.Generator().manual_seed(0))
    arranged = options.build("diffusion/layout", layout).arrange((LATENTS[0], LATENTS[1]))[0]
    torch.testing.assert_close(noisy, alpha * arranged + sigma * noise)


def test_little_strength_changes_little(sampler):
    """The least is one step, the last that the sampler has."""
    pyramid, toy = chains([Given(LATENTS[0], None, 1e-3), None], sampler=sampler, steps=50)
    assert len(toy.of_scale(0)) <= 3
    free, _ = chains(sampler=sampler, steps=50)
    assert (pyramid[0] - LATENTS[0]).abs().mean() < 0.5 * (free[0] - LATENTS[0]).abs().mean()


def test_watching_tells_what_is_believed_at_every_step_and_changes_nothing(sampler, layout):
    """Of several calls at a step the last is the one that counts."""
    seen = {}
    watched, toy = chains(sampler=sampler, layout=layout, watch=lambda *told: seen.update({told[:2]: told[2]}))
    plain, _ = chains(sampler=sampler, layout=layout)
    assert all(torch.equal(one, other) for one, other in zip(watched, plain, strict=True))
    build = options.build("diffusion/sampler", sampler)(schedule=SCHEDULE, parameterization=V(), steps=4)
    times = build.times[:-1].tolist()
    assert list(seen) == [(scale, step) for scale in (0, 1) for step in range(len(times))]
    arranged = options.build("diffusion/layout", layout)
    for (scale, step), told in seen.items():
        assert torch.equal(told[0], watched[0]) or scale == 0
        *_, noisy = [noisy for time, noisy in toy.of_scale(scale) if time == pytest.approx(times[step], abs=1e-3)]
        clean = torch.tanh(noisy) + toy.told[scale][:, :, None, None]
        expected = arranged.restore((arranged.settle(clean, scale=scale, own=OWN),), own=OWN[scale : scale + 1])
        torch.testing.assert_close(told[scale], expected[0], atol=1e-3, rtol=1e-3)


def test_what_is_given_is_believed(layout):
    """Kept parts are in what is told, and a scale that is not drawn is told as part of the next."""
    given, seen = [Given(LATENTS[0], WHOLE[0], 1.0), Given(LATENTS[1], LEFT[1], 1.0)], {}
    chains(given, layout=layout, watch=lambda *told: seen.update({told[:2]: told[2]}))
    assert {scale for scale, _ in seen} == {1}
    for coarse, fine in seen.values():
        torch.testing.assert_close(coarse, LATENTS[0])
        assert torch.equal(torch.where(LEFT[1], fine, 0), torch.where(LEFT[1], LATENTS[1], 0))


BAD = {
    "2, coarsest first": [Given(LATENTS[0], None, 1.0)],
    r"given\[1\]\.latent": [None, Given(LATENTS[0], None, 1.0)],
    r"given\[0\]\.keep": [Given(LATENTS[0], LEFT[1], 1.0), None],
    r"given\[0\]\.strength": [Given(LATENTS[0], None, 0.0), None],
}


@pytest.mark.parametrize("message", BAD)
def test_what_does_not_fit_is_refused(message):
    with pytest.raises(FridoError, match=message):
        check_given(BAD[message], OWN, batch=BATCH)
