"""Weights over times: closed forms, and what they mean for the clean latent."""

import math

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.diffusion.parameterizations.eps import Eps
from frido.diffusion.parameterizations.v import V
from frido.diffusion.weights.edm import Edm
from frido.diffusion.weights.min_snr import MinSnr
from frido.diffusion.weights.uniform import Uniform
from tests.denoisers import options

LOG_SNR = torch.tensor([-8.0, -1.0, 0.0, math.log(5), 3.0, 9.0], dtype=torch.float64)
SNR = LOG_SNR.exp()


@pytest.fixture(params=options.names("diffusion/parameterization"))
def parameterization(request):
    return options.build("diffusion/parameterization", request.param)


@pytest.mark.parametrize("name", options.names("task/weighting"))
def test_finite_down_to_no_signal_at_all(name, parameterization):
    weights = options.build("task/weighting", name)(
        torch.tensor([-math.inf, -50.0, 0.0, 12.0], dtype=torch.float64), parameterization=parameterization
    )
    assert weights.dtype == torch.float64
    assert weights.isfinite().all() and (weights >= 0).all()


def test_weight_of_the_clean_error_is_that_of_any_prediction(parameterization):
    """What a weighted squared error of the prediction is in terms of the clean latent does not depend on the former."""
    clean, noise, belief = (torch.randn(1, 4, 8, 8, dtype=torch.float64) for _ in range(3))
    for weighting, expected in ((MinSnr(gamma=5.0), SNR.clamp(max=5)), (Edm(sigma_data=0.5), SNR + 4)):
        weights = weighting(LOG_SNR, parameterization=parameterization)
        for log_snr, weight, of_clean in zip(LOG_SNR, weights, expected, strict=True):
            alpha, sigma = log_snr.sigmoid().sqrt(), (-log_snr).sigmoid().sqrt()
            noisy = alpha * clean + sigma * noise
            said = parameterization.target(belief, (noisy - alpha * belief) / sigma, alpha, sigma)
            error = (said - parameterization.target(clean, noise, alpha, sigma)).square().mean()
            torch.testing.assert_close(weight * error, of_clean * (belief - clean).square().mean())


def test_min_snr_as_published():
    """Hang et al., 2023, section 3.4: min(snr, gamma) / snr for eps, min(snr, gamma) / (snr + 1) for v."""
    weighting = MinSnr(gamma=5.0)
    torch.testing.assert_close(weighting(LOG_SNR, parameterization=Eps()), SNR.clamp(max=5) / SNR)
    torch.testing.assert_close(weighting(LOG_SNR, parameterization=V()), SNR.clamp(max=5) / (SNR + 1))


def test_edm_of_unit_data_weighs_velocities_alike():
    """Karras et al., 2022, table 1, in terms of sigma."""
    ones = torch.ones_like(LOG_SNR)
    torch.testing.assert_close(Edm(sigma_data=1.0)(LOG_SNR, parameterization=V()), ones)
    sigma, sigma_data = SNR**-0.5, 0.5
    published = (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2
    found = Edm(sigma_data=sigma_data)(LOG_SNR, parameterization=Eps()) * SNR
    torch.testing.assert_close(found, published)


def test_uniform_is_one(parameterization):
    assert torch.equal(Uniform()(LOG_SNR, parameterization=parameterization), torch.ones_like(LOG_SNR))


@pytest.mark.parametrize(("make", "name"), [(MinSnr, "gamma"), (Edm, "sigma_data")])
def test_bad_settings(make, name):
    with pytest.raises(FridoError, match=rf"task\.weighting\.{name}"):
        make(**{name: 0.0})
