"""Samplers against a denoiser that is known exactly: that of Gaussian data."""

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.diffusion.samplers.ddim import Ddim
from frido.diffusion.samplers.dpm_solver_pp import DpmSolverPp
from frido.diffusion.spacings.even import Even
from frido.diffusion.spacings.log_snr import LogSnr
from frido.diffusion.spacings.official import Official
from frido.diffusion.spacings.quadratic import Quadratic
from tests.denoisers import options

SCHEDULE = options.build("diffusion/schedule", "sqrt_linear")
MEAN, SPREAD = 0.7, 0.4


def gaussian(parameterization):
    """Return the ideal denoiser of data N(MEAN, SPREAD^2) and the list of times it was asked at."""
    asked = []

    def denoise(noisy, time):
        asked.append(time[0].item())
        alpha, sigma = (f(time).view(-1, 1, 1, 1) for f in (SCHEDULE.alpha, SCHEDULE.sigma))
        noise = sigma * (noisy - alpha * MEAN) / (alpha**2 * SPREAD**2 + sigma**2)
        return parameterization.target((noisy - sigma * noise) / alpha, noise, alpha, sigma)

    return denoise, asked


def marginal(time):
    alpha, sigma = SCHEDULE.alpha(time), SCHEDULE.sigma(time)
    return alpha * MEAN, (alpha**2 * SPREAD**2 + sigma**2).sqrt()


def flow(start):
    """Return where the probability flow takes `start`: Gaussian marginals keep their standard scores."""
    (mean_0, std_0), (mean_1, std_1) = (marginal(torch.tensor(t)) for t in (SCHEDULE.num_steps - 1.0, 0.0))
    return mean_1 + std_1 * (start - mean_0) / std_0


def no_noise(step):
    raise AssertionError("a deterministic sampler asked for noise")


def start(batch=64, seed=0):
    return torch.randn(batch, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=options.names("diffusion/parameterization"))
def parameterization(request):
    return options.build("diffusion/parameterization", request.param)


def error(make, steps, parameterization, spacing=None):
    noisy = start()
    sampler = make(schedule=SCHEDULE, parameterization=parameterization, spacing=spacing or LogSnr(), steps=steps)
    denoise, _ = gaussian(parameterization)
    return (sampler(denoise, noisy, noise=no_noise) - flow(noisy)).abs().max().item()


def ddim(**arguments):
    return Ddim(eta=0.0, **arguments)


@pytest.mark.parametrize(("make", "order"), [(ddim, 1), (DpmSolverPp, 2)])
def test_order_of_convergence(make, order, parameterization):
    """Twice the steps: half the error for a first-order solver, a quarter for a second-order one."""
    coarse, fine = (error(make, steps, parameterization) for steps in (64, 128))
    assert coarse / fine == pytest.approx(2**order, rel=0.15)


def test_reaches_the_exact_flow(parameterization):
    assert error(DpmSolverPp, 256, parameterization) < 2e-4
    assert error(ddim, 512, parameterization) < 2e-2


def test_second_order_pays_at_few_steps(parameterization):
    assert error(DpmSolverPp, 20, parameterization) < 0.5 * error(ddim, 20, parameterization)


@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_noisy_ddim_keeps_the_marginal(eta, parameterization):
    """Fresh noise changes paths, not the distribution they end in."""
    generator = torch.Generator().manual_seed(1)
    noisy = start(batch=500)
    sampler = Ddim(schedule=SCHEDULE, parameterization=parameterization, spacing=Even(), steps=300, eta=eta)
    denoise, _ = gaussian(parameterization)
    end = sampler(denoise, noisy, noise=lambda step: torch.randn(noisy.shape, dtype=torch.float64, generator=generator))
    mean, std = marginal(torch.tensor(0.0))
    assert end.mean().item() == pytest.approx(mean.item(), abs=0.02)
    assert end.std().item() == pytest.approx(std.item(), rel=0.06)


@pytest.fixture(params=options.names("diffusion/sampler"))
def sampler(request):
    return options.build("diffusion/sampler", request.param)


def test_every_sampler_reaches_the_data(sampler, parameterization):
    """Roughly, with the four steps of the tests' size, and the same way twice."""
    noisy = start()
    noises = [start(seed=9 + step) for step in range(9)]
    built = sampler(schedule=SCHEDULE, parameterization=parameterization)
    ends = [built(gaussian(parameterization)[0], noisy, noise=noises.__getitem__) for _ in range(2)]
    assert torch.equal(*ends)
    assert ends[0].mean().item() == pytest.approx(MEAN, abs=0.15)
    assert ends[0].std().item() < 0.8


@pytest.mark.parametrize("make", [ddim, DpmSolverPp])
@pytest.mark.parametrize("steps", [1, 2, 7, 20])
def test_asks_exactly_as_often_as_told(make, steps, parameterization):
    denoise, asked = gaussian(parameterization)
    make(schedule=SCHEDULE, parameterization=parameterization, spacing=Even(), steps=steps)(
        denoise, start(2), noise=no_noise
    )
    assert len(asked) == steps
    assert asked[0] == SCHEDULE.num_steps - 1
    assert asked == sorted(asked, reverse=True)


@pytest.mark.parametrize("spacing", [Even(), LogSnr(), Official(), Quadratic()])
def test_times_fall_to_zero(spacing):
    for steps in (2, 5, 20):
        times = spacing.times(SCHEDULE, steps=steps)
        assert (times.diff() < 0).all()
        assert times[-1] == 0 and times[0] <= SCHEDULE.num_steps - 1


def test_official_times_keep_their_quirks():
    assert len(Official().times(SCHEDULE, steps=7)) - 1 == 8
    assert Official().times(SCHEDULE, steps=200)[:2].tolist() == [996, 991]
    with pytest.raises(FridoError, match="stay inside the schedule"):
        Official().times(SCHEDULE, steps=1000)


def test_keeps_the_precision_of_the_latent(sampler, parameterization):
    built = sampler(schedule=SCHEDULE, parameterization=parameterization)
    single = start(2).float()
    end = built(lambda noisy, time: noisy.bfloat16(), single, noise=lambda step: torch.zeros_like(single))
    assert end.dtype == torch.float32
