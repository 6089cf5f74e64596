"""Schedules: ends, monotony, interpolation, and the inverse."""

import pytest
import torch

from tests.denoisers import options


@pytest.fixture(params=options.names("diffusion/schedule"))
def schedule(request):
    return options.build("diffusion/schedule", request.param)


def test_from_signal_to_noise(schedule):
    alpha_bar = schedule.alphas_cumprod
    assert alpha_bar.dtype == torch.float64 and len(alpha_bar) == schedule.num_steps
    assert (alpha_bar.diff() < 0).all()
    assert alpha_bar[0] > 0.98
    assert 0 <= alpha_bar[-1] < 0.01
    assert schedule.ends_in_noise == (alpha_bar[-1] == 0)


def test_is_variance_preserving_at_any_time(schedule):
    time = torch.linspace(0, schedule.num_steps - 1, 777, dtype=torch.float64)
    one = schedule.alpha(time) ** 2 + schedule.sigma(time) ** 2
    torch.testing.assert_close(one, torch.ones_like(one), atol=1e-12, rtol=0)


def test_whole_times_are_the_table(schedule):
    time = torch.arange(schedule.num_steps)
    torch.testing.assert_close(schedule.alpha(time.double()) ** 2, schedule.alphas_cumprod, atol=1e-12, rtol=1e-9)


def test_between_times_the_log_snr_is_linear(schedule):
    low, middle, high = schedule.log_snr(torch.tensor([40.0, 40.25, 41.0])).tolist()
    assert middle == pytest.approx(0.75 * low + 0.25 * high, abs=1e-9)


def test_time_is_the_inverse_of_log_snr(schedule):
    last = schedule.num_steps - 1.0
    time = torch.tensor([0.0, 0.5, 17.3, 500.9, last - 1, last - 0.7, last - 0.01, last], dtype=torch.float64)
    torch.testing.assert_close(schedule.time(schedule.log_snr(time)), time, atol=1e-6, rtol=0)


def test_every_device_has_its_own_table(schedule):
    """Whichever asks first."""
    time = torch.tensor([0.0, 40.0])
    assert schedule.log_snr(time.to("meta")).device.type == "meta"
    torch.testing.assert_close(schedule.alpha(time) ** 2, schedule.alphas_cumprod[[0, 40]])
    assert schedule.log_snr(time.to("meta")).device.type == "meta"


def test_frido_terminal_signal():
    """6.69e-4, measured on the official code."""
    schedule = options.build("diffusion/schedule", "sqrt_linear")
    assert schedule.alphas_cumprod[-1].item() == pytest.approx(6.69e-4, abs=5e-7)


def test_rescaling_ends_in_pure_noise_and_keeps_the_first_step():
    """Lin et al., 2023, algorithm 1: alphas are a line through the old ones."""
    old = options.build("diffusion/schedule", "sqrt_linear").alphas_cumprod.sqrt()
    schedule = options.build("diffusion/schedule", "zero_terminal_snr")
    new = schedule.alphas_cumprod.sqrt()
    assert new[-1] == 0 and schedule.betas()[-1] == 1
    torch.testing.assert_close(new[0], old[0])
    slopes = new.diff() / old.diff()
    torch.testing.assert_close(slopes, slopes[:1].expand_as(slopes), rtol=1e-6, atol=0)


def test_signal_fades_evenly_into_pure_noise():
    schedule = options.build("diffusion/schedule", "zero_terminal_snr")
    alpha = schedule.alpha(torch.tensor([998.0, 998.25, 998.5, 999.0]))
    torch.testing.assert_close(alpha / alpha[0], torch.tensor([1, 0.75, 0.5, 0], dtype=torch.float64))
    assert schedule.sigma(torch.tensor(999.0)) == 1
