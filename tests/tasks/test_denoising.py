"""Training of the second stage: what a step is made of. The denoiser is a toy; its own tests are elsewhere."""

import math

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.diffusion.schedules.base import Schedule
from tests.denoisers import options
from tests.tasks import toys
from tests.tasks.toys import SHAPES

WEIGHTS = [0.2, 3.0, 1.0]


def step(task, batch):
    """Return the losses of one step and the gradient of every trained parameter."""
    (phase,) = task.phases()
    task.zero_grad()
    losses = phase(batch)
    losses["loss"].backward()
    return losses, [parameter.grad.clone() for parameter in phase.trained()]


@pytest.mark.parametrize(
    ("group", "argument"),
    [
        ("task/loss", "loss"),
        ("task/weighting", "weighting"),
        ("task/times", "times"),
        ("task/scales", "scales"),
        ("diffusion/teacher_forcing", "forcing"),
        ("diffusion/parameterization", "parameterization"),
        ("diffusion/layout", "layout"),
    ],
)
def test_every_option_trains_everything(group, argument):
    for name in options.names(group):
        changes = {argument: name} | ({"quotas": [1, 1, 2]} if name == "quotas" else {})
        task = toys.task(**changes)
        losses, gradients = step(task, toys.batch(8))
        assert set(losses) == {"loss", "loss/scale0", "loss/scale1", "loss/scale2"}, name
        assert all(gradient.isfinite().all() for gradient in gradients), name
        assert all(parameter.grad.any() for parameter in task.denoiser.parameters()), name


def test_loss_is_the_weighted_sum_of_the_scales():
    losses, _ = step(toys.task(scale_weights=WEIGHTS), toys.batch(4))
    expected = sum(weight * losses[f"loss/scale{scale}"] for scale, weight in enumerate(WEIGHTS))
    torch.testing.assert_close(losses["loss"].detach(), expected)
    assert losses["loss"].requires_grad and not losses["loss/scale0"].requires_grad


def test_quotas_train_the_scale_of_a_row_as_all_scales_would():
    """The gradient of a step by quotas is that of all scales restricted to each one's rows."""
    quotas = toys.task(scales="quotas", quotas=[1, 2, 1], scale_weights=WEIGHTS)
    batch = toys.batch(4, start=6)
    losses, gradients = step(quotas, batch)
    (by_quotas,) = quotas.phases()
    rows = by_quotas.scales.rows(batch.positions)
    assert [len(part) for part in rows] == [1, 2, 1]

    expected = [torch.zeros_like(gradient) for gradient in gradients]
    for scale, part in enumerate(rows):
        only = [WEIGHTS[scale] if other == scale else 0.0 for other in range(3)]
        alone = toys.task(scale_weights=only)
        singles = [step(alone, batch.rows(row, row + 1)) for row in part.tolist()]
        mean = sum(single[f"loss/scale{scale}"] for single, _ in singles) / len(part)
        torch.testing.assert_close(losses[f"loss/scale{scale}"], mean)
        for _, gradient in singles:
            for total, one in zip(expected, gradient, strict=True):
                total += one / len(part)
    torch.testing.assert_close(gradients, expected, atol=1e-6, rtol=1e-4)


def test_micro_batches_of_whole_cycles_give_the_gradient_of_the_batch():
    task = toys.task(scales="quotas", quotas=[1, 2, 1])
    batch = toys.batch(8, start=16)
    _, whole = step(task, batch)
    halves = [step(task, batch.rows(start, start + 4))[1] for start in (0, 4)]
    torch.testing.assert_close([(a + b) / 2 for a, b in zip(*halves, strict=True)], whole, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("scales", ["all", "quotas"])
def test_randomness_belongs_to_the_sample(scales):
    """The same samples in other batches see the same noise, times, levels and dropout, bit for bit."""
    task = toys.task(scales=scales, quotas=[1, 1, 1] if scales == "quotas" else None, forcing="sampled_level")
    (phase,) = task.phases()
    batch = toys.batch(6, start=5)

    def seen(part):
        task.denoiser.times.clear()
        task.denoiser.noisy.clear()
        task.denoiser.levels.clear()
        phase(part)
        rows = [part.positions[rows].tolist() for rows in phase.scales.rows(part.positions)]
        return {
            (scale, position): (
                task.denoiser.times[scale][row].item(),
                task.denoiser.noisy[scale][row],
                None if scale == 0 else task.denoiser.levels[scale][row].item(),
            )
            for scale, positions in enumerate(rows)
            for row, position in enumerate(positions)
        }

    whole = seen(batch)
    for key, (time, noisy, level) in seen(batch.rows(2, 5)).items():
        assert (time, level) == (whole[key][0], whole[key][2])
        assert torch.equal(noisy, whole[key][1])
    moved = seen(batch._replace(positions=batch.positions + 300))
    assert not torch.equal(moved[0, 305 if scales == "all" else 306][1], whole[0, 5 if scales == "all" else 6][1])


def test_noise_follows_the_schedule_and_is_the_targets():
    """With a prediction of zero and eps as target, the loss is the power of the very noise in the input."""
    task = toys.task(parameterization="eps")
    with torch.no_grad():
        for parameter in task.denoiser.parameters():
            parameter.zero_()
    batch = toys.batch(64)
    (phase,) = task.phases()
    losses = phase(batch)
    time = task.denoiser.times[0]
    assert time.min() >= 0 and time.max() <= 999 and (time == time.round()).all()
    for scale, clean in enumerate(batch.pyramid):
        noise = noise_of(task, scale, clean)
        assert noise.mean().abs() < 0.1 and abs(noise.std() - 1) < 0.1
        torch.testing.assert_close(losses[f"loss/scale{scale}"], noise.square().mean(), rtol=1e-3, atol=0)


def noise_of(task, scale, clean):
    """Return the noise in what the denoiser saw of `clean`."""
    time = task.denoiser.times[scale]
    alpha, sigma = (factor(time).float().view(-1, 1, 1, 1) for factor in (task.schedule.alpha, task.schedule.sigma))
    return (task.denoiser.noisy[scale] - alpha * clean) / sigma


def test_coarse_latents_are_forced_on_the_grid_of_the_scale():
    """Official: `0.9 z + 0.1 noise`, of its own noise; native latents are then resized."""
    task = toys.task()
    batch = toys.batch(64)
    step(task, batch)
    assert task.denoiser.coarse[0] == ()
    (forced,) = task.denoiser.coarse[1]
    assert forced.shape[2:] == (8, 8)
    noise = (forced[:, :, ::2, ::2] - 0.9 * batch.pyramid[0]) / 0.1
    assert noise.std() == pytest.approx(1, abs=0.1)
    assert (noise * noise_of(task, 0, batch.pyramid[0])).mean().abs() < 0.1
    torch.testing.assert_close(forced[:, :, ::2, ::2], forced[:, :, 1::2, 1::2])


def test_stacked_noise_is_independent_in_every_fine_cell():
    task = toys.task(layout="stacked")
    step(task, toys.batch(4))
    assert [noisy.shape[2:] for noisy in task.denoiser.noisy] == [(8, 8)] * 3
    for seen in (task.denoiser.noisy[0], task.denoiser.coarse[1][0]):
        assert not torch.allclose(seen[..., ::2, ::2], seen[..., 1::2, 1::2])


def test_dropout_uses_the_empty_context():
    task = toys.task(condition_dropout=0.3)
    batch = toys.batch(256)
    step(task, batch)
    context, empty = task.denoiser.contexts[0], task.conditioner.empty(batch.annotations)
    dropped = context.mask.sum(1) == 1
    assert 0.2 < dropped.float().mean() < 0.4
    assert torch.equal(context.tokens[dropped], empty.tokens[dropped])
    assert torch.equal(context.tokens[~dropped], task.conditioner(batch.annotations).tokens[~dropped])
    assert torch.equal(task.denoiser.contexts[1].mask, context.mask)  # one decision for all scales


def test_one_time_for_all_scales_of_a_sample():
    task = toys.task(times="continuous")
    step(task, toys.batch(64))
    coarse, middle, fine = task.denoiser.times
    assert torch.equal(coarse, middle) and torch.equal(coarse, fine)
    assert (coarse != coarse.round()).any()


def test_denoiser_is_told_the_level_of_noise_that_it_sees():
    """At the coarsest scale there is nothing to tell."""
    task = toys.task(forcing="sampled_level")
    batch = toys.batch(64)
    step(task, batch)
    assert task.denoiser.levels[0] is None
    for scale in (1, 2):
        level = task.denoiser.levels[scale]
        assert level.min() < 0.1 < 0.4 < level.max() < 0.5
        seen = task.denoiser.coarse[scale][0][:, :, ::2, ::2]
        noise = (seen - (1 - level.view(-1, 1, 1, 1) ** 2).sqrt() * batch.pyramid[0]) / level.view(-1, 1, 1, 1)
        assert noise.std() == pytest.approx(1, abs=0.1)
    assert not torch.equal(task.denoiser.levels[1], task.denoiser.levels[2])


def test_weights_are_of_each_samples_time():
    """With every other part equal, the loss of a sample is its unweighted one times the weight of its time."""
    batch = toys.batch(1, start=11)
    plain, _ = step(toys.task(), batch)
    weighted, _ = step(task := toys.task(weighting="min_snr"), batch)
    snr = task.schedule.log_snr(task.denoiser.times[0]).exp()
    expected = plain["loss"].detach() * (snr.clamp(max=5) / (snr + 1)).float()
    torch.testing.assert_close(weighted["loss"].detach(), expected.squeeze())


class NoSignal(Schedule):
    """Ends in nothing but noise."""

    def betas(self):
        raise NotImplementedError

    @property
    def num_steps(self):
        return 4

    def log_snr(self, time):
        return torch.where(time < 3, (2 - 2 * time).double(), -math.inf)


@pytest.mark.parametrize("weighting", options.names("task/weighting"))
@pytest.mark.parametrize("parameterization", ["v", "x0"])
def test_no_signal_is_no_reason_for_nan(weighting, parameterization):
    task = toys.task(weighting=weighting, parameterization=parameterization)
    (phase,) = task.phases()
    phase.error.schedule = NoSignal()
    losses, gradients = step(task, toys.batch(32))
    assert (task.denoiser.times[0] == 3).any()
    assert losses["loss"].isfinite() and all(gradient.isfinite().all() for gradient in gradients)


def test_training_learns():
    task = toys.task(shapes=SHAPES[:2], quotas=[1, 1], scales="quotas", weighting="min_snr", loss="huber")
    (phase,) = task.phases()
    optimizer = torch.optim.AdamW(phase.trained(), lr=5e-2)
    batch, history = toys.batch(16, shapes=SHAPES[:2]), []
    for _ in range(20):
        optimizer.zero_grad()
        loss = phase(batch)["loss"]
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.8 * history[0]


@pytest.mark.parametrize("bad", [{"scale_weights": [1.0]}, {"condition_dropout": 1.5}, {"quotas": [1, 1]}])
def test_bad_settings(bad):
    with pytest.raises(FridoError, match=next(iter(bad))):
        toys.task(scales="quotas" if "quotas" in bad else "all", **bad)
