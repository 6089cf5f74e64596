"""Samplers against a denoiser that is known exactly: that of Gaussian data."""

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.diffusion.samplers.posterior import posterior
from frido.diffusion.schedules.sqrt_linear import SqrtLinear
from frido.diffusion.schedules.zero_terminal_snr import ZeroTerminalSnr
from frido.diffusion.spacings.log_snr import LogSnr
from frido.diffusion.spacings.whole import Whole
from tests.denoisers import options
from tests.diffusion.gaussian import MEAN, Gaussian, fresh, start

NOISY = {"ddim_official", "ddpm", "dpm_solver_pp_sde"}
ORDERS = {
    "ddim": 1,
    "ddim_official": 1,
    "ddpm": 1,
    "dpm_solver_pp": 2,
    "dpm_solver_pp_sde": 2,
    "heun": 2,
    "plms": 2,
    "plms_official": 2,
    "unipc": 3,
}
"""Of convergence in equal strides of log-SNR, as measured; PLMS is meant for equal strides of time."""

SHORT = SqrtLinear(num_steps=100, start=0.015, end=0.155)
SCHEDULES = {"signal": SHORT, "no signal": ZeroTerminalSnr(schedule=SHORT)}


@pytest.fixture(params=options.names("diffusion/sampler"))
def name(request):
    return request.param


@pytest.fixture(params=options.names("diffusion/parameterization"))
def parameterization(request):
    return request.param


def ideals():
    """Return names of schedule and parameterization that go together, with and without a signal at the end."""
    names = options.names("diffusion/parameterization")
    without = [name for name in names if not options.build("diffusion/parameterization", name).needs_signal]
    return [("sqrt_linear", name) for name in names] + [("zero_terminal_snr", name) for name in without]


@pytest.fixture(params=ideals(), ids="-".join)
def gaussian(request):
    return Gaussian(*request.param)


def build(name, gaussian, **changes):
    changes = {"schedule": gaussian.schedule, "parameterization": gaussian.parameterization} | changes
    return options.build("diffusion/sampler", name)(**changes)


def error(name, gaussian, **changes):
    """Return the larger error, of the mean or of the standard deviation, of what is drawn."""
    sampler = build(name, gaussian, **({"spacing": LogSnr()} | changes))
    exact = gaussian.marginal(sampler.times[-1].item())
    drawn = gaussian.drawn(sampler, noise_allowed=name in NOISY or changes.get("eta", 0) > 0)
    return max(abs(one - other) for one, other in zip(drawn, exact, strict=True))


def test_order_of_convergence(name, gaussian):
    """Twice the steps: half the distance to the exact marginal for a solver of first order, a quarter for second."""
    coarse, fine = error(name, gaussian, steps=64), error(name, gaussian, steps=128)
    order = ORDERS.get(name, 1)
    assert fine < 0.05 * 0.05 ** (order - 1)
    assert coarse / fine > 0.88 * 2**order
    if name in ORDERS:
        assert coarse / fine < 1.12 * 2**order


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_fresh_noise_of_ddim_changes_paths_not_the_marginal(eta, gaussian):
    assert error("ddim", gaussian, steps=200, eta=eta) < 0.02


def test_unipc_of_a_higher_order():
    coarse, fine = (error("unipc", Gaussian("sqrt_linear"), steps=steps, order=3) for steps in (48, 96))
    assert coarse / fine == pytest.approx(2**4, rel=0.2)


def test_higher_orders_pay_at_few_steps(parameterization):
    ddim, dpm, heun, unipc = (
        error(name, Gaussian("sqrt_linear", parameterization), steps=steps)
        for name, steps in (("ddim", 20), ("dpm_solver_pp", 20), ("heun", 10), ("unipc", 20))
    )
    assert unipc < dpm < heun < ddim


def test_roughly_there_in_few_steps_and_the_same_way_twice(name, gaussian):
    """With the four steps of the tests' size."""
    sampler, noisy = build(name, gaussian), start(64)
    ends = [sampler(gaussian, noisy, noise=fresh(noisy)) for _ in range(2)]
    assert torch.equal(*ends)
    assert ends[0].mean().item() == pytest.approx(MEAN, abs=0.15)
    assert ends[0].std().item() < 0.8


@pytest.mark.parametrize("end", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 7, 99, 100])
@pytest.mark.parametrize("name", [name for name in options.names("diffusion/sampler") if "official" not in name])
def test_any_number_of_steps(name, steps, end):
    """Exactly that many, from the last training step on and never back towards noise, and nothing overflows."""
    gaussian, noisy = Gaussian(SCHEDULES[end]), start(2)
    sampler = build(name, gaussian, steps=steps)
    assert sampler(gaussian, noisy, noise=fresh(noisy)).isfinite().all()
    assert len(sampler.times) - 1 == steps
    assert len(gaussian.asked) == (2 * steps - 1 if name == "heun" else steps)
    assert gaussian.asked[0] == 99
    assert gaussian.asked == sorted(gaussian.asked, reverse=True)


@pytest.mark.parametrize(("end", "asked"), [("signal", [99, 97, 97, 95]), ("no signal", [99, 97, 95])])
def test_official_plms_asks_twice_in_the_first_step(end, asked):
    """But from no signal at all there is nothing to take a mean of."""
    gaussian, noisy = Gaussian(SCHEDULES[end]), start(2)
    build("plms_official", gaussian, steps=50)(gaussian, noisy, noise=fresh(noisy))
    assert gaussian.asked[: len(asked)] == asked and len(gaussian.asked) == len(asked) + 47


@pytest.mark.parametrize("steps", [0, 1001])
def test_other_numbers_of_steps_are_refused(name, steps):
    with pytest.raises(FridoError, match="1 to 1000"):
        build(name, Gaussian("sqrt_linear"), steps=[4, steps])


def test_steps_per_scale(name):
    gaussian, noisy = Gaussian("sqrt_linear"), start(2)
    sampler = build(name, gaussian, steps=[5, 2])
    for scale, steps in enumerate([5, 2]):
        both = sampler.at(scale, num_scales=2), build(name, gaussian, steps=steps)
        assert torch.equal(*(one(gaussian, noisy, noise=fresh(noisy)) for one in both))
    assert build(name, gaussian, steps=3).at(1, num_scales=2).steps == 3
    with pytest.raises(FridoError, match=r"diffusion\.sampler\.steps=\[5,5,5\]"):
        sampler.at(0, num_scales=3)


def test_noise_cannot_be_predicted_where_nothing_else_is(name):
    with pytest.raises(FridoError, match="diffusion/parameterization=v"):
        build(name, Gaussian("zero_terminal_snr", "eps"))


def test_keeps_the_precision_of_the_latent(name, parameterization):
    """Of networks in half precision too, and where autocast would round what it can."""
    single = start(2).float()
    sampler = build(name, Gaussian("sqrt_linear", parameterization), steps=7)

    def draw():
        return sampler(lambda noisy, time: noisy.bfloat16(), single, noise=lambda step: torch.zeros_like(single))

    end = draw()
    assert end.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(draw(), end)


def test_ancestral_sampling_is_ddim_with_all_the_noise():
    """Two roads to one posterior (Song et al., 2021, section 4.1)."""
    gaussian, noisy = Gaussian("linear"), start()
    same = {"steps": 30, "spacing": Whole()}
    ddpm, ddim = build("ddpm", gaussian, **same), build("ddim", gaussian, eta=1.0, **same)
    ends = [sampler(gaussian, noisy, noise=fresh(noisy)) for sampler in (ddpm, ddim)]
    torch.testing.assert_close(*ends, atol=1e-9, rtol=0)


def test_posterior_of_neighbouring_steps():
    """Ho et al., 2020, eq. 7, in betas; what the first step came from is the clean latent."""
    schedule = options.build("diffusion/schedule", "sqrt_linear")
    betas, alpha_bar = schedule.betas(), schedule.alphas_cumprod
    before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
    back = posterior(alpha_bar.sqrt(), (1 - alpha_bar).sqrt(), to_alpha=before.sqrt(), to_sigma=(1 - before).sqrt())
    close = {"atol": 1e-12, "rtol": 1e-9}
    torch.testing.assert_close(back.variance, betas * (1 - before) / (1 - alpha_bar), **close)
    torch.testing.assert_close(back.of_clean, betas * before.sqrt() / (1 - alpha_bar), **close)
    torch.testing.assert_close(back.of_noisy, (1 - before) * (1 - betas).sqrt() / (1 - alpha_bar), **close)
