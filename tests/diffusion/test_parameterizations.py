"""Predictions mean what they should."""

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.diffusion.parameterizations.eps import Eps
from frido.diffusion.terminal_signal import check_terminal_signal
from tests.denoisers import options

SCHEDULE = options.build("diffusion/schedule", "sqrt_linear")


def draw(seed=0):
    generator = torch.Generator().manual_seed(seed)
    clean, noise = (torch.randn(5, 4, 3, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    time = torch.tensor([0.0, 3.5, 400.0, 800.0, 999.0])
    alpha, sigma = (f(time).view(-1, 1, 1, 1) for f in (SCHEDULE.alpha, SCHEDULE.sigma))
    return clean, noise, alpha, sigma


@pytest.fixture(params=options.names("diffusion/parameterization"))
def parameterization(request):
    return options.build("diffusion/parameterization", request.param)


def test_round_trip(parameterization):
    clean, noise, alpha, sigma = draw()
    noisy = alpha * clean + sigma * noise
    target = parameterization.target(clean, noise, alpha, sigma)
    torch.testing.assert_close(parameterization.to_clean(target, noisy, alpha, sigma), clean, atol=1e-9, rtol=0)
    torch.testing.assert_close(parameterization.to_noise(target, noisy, alpha, sigma), noise, atol=1e-9, rtol=0)


def test_any_prediction_explains_the_noisy_latent(parameterization):
    """Also a wrong one: `alpha * clean + sigma * noise` of what it means is the noisy latent."""
    prediction, noisy, alpha, sigma = draw(1)
    clean = parameterization.to_clean(prediction, noisy, alpha, sigma)
    noise = parameterization.to_noise(prediction, noisy, alpha, sigma)
    torch.testing.assert_close(alpha * clean + sigma * noise, noisy, atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", options.names("diffusion/parameterization"))
def test_all_say_the_same_of_a_belief(name):
    """One belief, said in any way, is one clean latent."""
    clean, noise, alpha, sigma = draw(2)
    belief, noisy = draw(3)[0], alpha * clean + sigma * noise
    said = options.build("diffusion/parameterization", name)
    prediction = said.target(belief, (noisy - alpha * belief) / sigma, alpha, sigma)
    torch.testing.assert_close(said.to_clean(prediction, noisy, alpha, sigma), belief, atol=1e-9, rtol=0)
    eps = Eps().target(belief, said.to_noise(prediction, noisy, alpha, sigma), alpha, sigma)
    torch.testing.assert_close(Eps().to_clean(eps, noisy, alpha, sigma), belief, atol=1e-9, rtol=0)


def test_error_ratio_is_that_of_the_errors(parameterization):
    """A wrong prediction: its squared error over that of the clean latent which it means."""
    clean, noise, alpha, sigma = draw(4)
    noisy, target = alpha * clean + sigma * noise, parameterization.target(clean, noise, alpha, sigma)
    wrong = target + draw(5)[0]
    errors = (wrong - target) ** 2 / (parameterization.to_clean(wrong, noisy, alpha, sigma) - clean) ** 2
    ratio = parameterization.error_ratio((alpha**2 / sigma**2).log())
    torch.testing.assert_close(errors, ratio.expand_as(errors), rtol=1e-6, atol=0)


def test_what_needs_a_signal_is_refused_without_one(parameterization):
    *_, alpha, sigma = draw(0)
    prediction, noisy, *_ = draw(1)
    clean = parameterization.to_clean(prediction, noisy, 0 * alpha, torch.ones_like(sigma))
    assert clean.isfinite().all() != parameterization.needs_signal
    check_terminal_signal(SCHEDULE, parameterization)
    pure = options.build("diffusion/schedule", "zero_terminal_snr")
    if not parameterization.needs_signal:
        return check_terminal_signal(pure, parameterization)
    with pytest.raises(FridoError, match="pure noise"):
        check_terminal_signal(pure, parameterization)
