"""Data whose ideal denoiser is known: N(MEAN, SPREAD^2) in every cell."""

import torch

from tests.denoisers import options

MEAN, SPREAD = 0.7, 0.4


class Gaussian:
    """The ideal denoiser, as one that predicts what `parameterization` says; `asked` keeps the times of its calls."""

    def __init__(self, schedule, parameterization="v"):
        self.schedule, self.asked = schedule, []
        if isinstance(schedule, str):
            self.schedule = options.build("diffusion/schedule", schedule)
        self.parameterization = options.build("diffusion/parameterization", parameterization)

    def __call__(self, noisy, time):
        self.asked.append(time[0].item())
        alpha, sigma = (factor(time).view(-1, 1, 1, 1) for factor in (self.schedule.alpha, self.schedule.sigma))
        surprise = (noisy - alpha * MEAN) / (alpha**2 * SPREAD**2 + sigma**2)
        return self.parameterization.target(MEAN + alpha * SPREAD**2 * surprise, sigma * surprise, alpha, sigma)

    def marginal(self, time):
        """Return mean and standard deviation of noisy data at `time`; below 0, of the data itself."""
        if time < 0:
            return MEAN, SPREAD
        alpha, sigma = (factor(torch.tensor(time)).item() for factor in (self.schedule.alpha, self.schedule.sigma))
        return alpha * MEAN, (alpha**2 * SPREAD**2 + sigma**2) ** 0.5

    def drawn(self, sampler, *, noise_allowed=True):
        """Return mean and standard deviation of what `sampler` makes of noisy data, free of any sampling error.

        Beliefs are linear in what is seen, so what is drawn is linear in the start and in the noise of every step:
        one row of the batch has none of them, and every other row exactly one, whose share of the variance it shows.
        """
        times = sampler.times
        mean, spread = self.marginal(times[0].item())
        single = torch.cat([torch.zeros(1, len(times)), torch.eye(len(times))]).double()

        def noise(step):
            assert noise_allowed, "a deterministic sampler asked for noise"
            return single[:, step + 1].view(-1, 1, 1, 1)

        end = sampler(self, mean + spread * single[:, 0].view(-1, 1, 1, 1), noise=noise).flatten()
        return end[0].item(), (end[1:] - end[0]).norm().item()


def start(batch=16, seed=0):
    return torch.randn(batch, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def fresh(like, seed=1):
    """Return `noise(step)`, standard normal, the same for every maker of the same seed."""
    return lambda step: torch.randn(
        like.shape, dtype=like.dtype, generator=torch.Generator().manual_seed(1000 * seed + step)
    )
