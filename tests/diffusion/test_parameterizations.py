"""Predictions mean what they should."""

import pytest
import torch

from frido.diffusion.parameterizations.eps import Eps
from frido.diffusion.parameterizations.v import V
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


def test_v_and_eps_agree():
    """The same belief, said in two ways, is the same clean latent."""
    clean, noise, alpha, sigma = draw(2)
    belief, noisy = draw(3)[0], alpha * clean + sigma * noise
    v = V().target(belief, (noisy - alpha * belief) / sigma, alpha, sigma)
    eps = Eps().target(belief, (noisy - alpha * belief) / sigma, alpha, sigma)
    torch.testing.assert_close(V().to_clean(v, noisy, alpha, sigma), Eps().to_clean(eps, noisy, alpha, sigma))
    torch.testing.assert_close(V().to_noise(v, noisy, alpha, sigma), eps)
