"""The posterior of a KL autoencoder against torch's own normal distribution."""

import torch
from torch.distributions import Normal, kl_divergence

from frido.autoencoders.gaussian import DiagonalGaussian


def gaussian(seed):
    return DiagonalGaussian(moments=torch.randn(2, 6, 4, 5, generator=torch.Generator().manual_seed(seed)).double())


def normal(made):
    return Normal(made.mean, made.std)


def test_moments_are_means_then_log_variances():
    moments = torch.stack([torch.full((1, 2, 3), 5.0), torch.full((1, 2, 3), 4.0).log()], dim=1)
    made = DiagonalGaussian(moments=moments)
    assert torch.equal(made.mode, torch.full((1, 1, 2, 3), 5.0))
    torch.testing.assert_close(made.std, torch.full((1, 1, 2, 3), 2.0))
    torch.testing.assert_close(made.var, torch.full((1, 1, 2, 3), 4.0))


def test_divergence_and_likelihood_are_summed_per_sample():
    one, other, sample = gaussian(0), gaussian(1), gaussian(2).mean
    standard = Normal(torch.zeros_like(one.mean), torch.ones_like(one.mean))
    torch.testing.assert_close(one.kl(), kl_divergence(normal(one), standard).sum(dim=(1, 2, 3)))
    torch.testing.assert_close(one.kl(other), kl_divergence(normal(one), normal(other)).sum(dim=(1, 2, 3)))
    torch.testing.assert_close(one.nll(sample), -normal(one).log_prob(sample).sum(dim=(1, 2, 3)))
    assert not one.kl(one).any()


def test_samples_have_the_moments():
    made = DiagonalGaussian(moments=torch.tensor([0.5, -2.0]).view(1, 2, 1, 1).expand(1, 2, 300, 300))
    sample = made.sample(torch.randn(1, 1, 300, 300, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(sample.mean(), torch.tensor(0.5), atol=0.01, rtol=0)
    torch.testing.assert_close(sample.std(), torch.tensor(-1.0).exp(), atol=0.01, rtol=0)


def test_samples_are_differentiable_in_the_moments():
    moments = torch.zeros(1, 2, 1, 1, requires_grad=True)
    DiagonalGaussian(moments=moments).sample(torch.full((1, 1, 1, 1), 3.0)).sum().backward()
    torch.testing.assert_close(moments.grad.flatten(), torch.tensor([1.0, 1.5]))  # d(exp(v / 2) noise) / dv


def test_log_variances_are_clamped():
    made = DiagonalGaussian(moments=torch.tensor([0.0, 0.0, -1e6, 1e6]).view(1, 4, 1, 1))
    assert made.logvar.flatten().tolist() == [-30, 20]
    assert made.kl().isfinite().all()
    assert made.nll(torch.zeros(1, 2, 1, 1)).isfinite().all()
