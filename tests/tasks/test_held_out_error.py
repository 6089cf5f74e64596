"""The loss on held-out images: fixed, even, and that of training."""

import copy

import pytest
import torch

from frido.contracts import rng
from frido.tasks.held_out_error import BANDS, evenly
from tests.tasks import toys

COUNT = 12


def test_rows_cover_the_schedule_evenly():
    """Wherever consecutive rows begin; row 0 is at the start."""
    for first in (0, 5, 1000):
        places = evenly(torch.arange(first, first + 64))
        assert (places >= 0).all() and (places < 1).all()
        assert (places.sort().values - (torch.arange(64) + 0.5) / 64).abs().max() < 1 / 64
    assert evenly(torch.tensor([0, 1, 2, 3, 6])).tolist() == [0, 0.5, 0.25, 0.75, 0.375]


def test_every_image_is_looked_at_once_in_every_band():
    task = toys.task()
    task.held_out_losses(toys.batch(16))
    times = torch.stack(task.denoiser.times[:BANDS])
    edges = torch.arange(BANDS)[:, None] * 250
    assert ((times >= edges) & (times < edges + 250)).all()
    assert len(times.unique()) == times.numel()
    assert all(torch.equal(torch.stack(task.denoiser.times[s * BANDS : (s + 1) * BANDS]), times) for s in (1, 2))


@torch.no_grad()
def test_repeats_and_does_not_depend_on_batches():
    task = toys.task(forcing="sampled_level").eval()
    batch = toys.batch(COUNT)
    torch.manual_seed(1)
    whole = task.held_out_losses(batch)
    assert whole.shape == (3, BANDS, COUNT)
    torch.manual_seed(2)
    assert torch.equal(task.held_out_losses(batch), whole)
    parts = torch.cat([task.held_out_losses(batch.rows(start, start + 5)) for start in (0, 5, 10)], dim=-1)
    torch.testing.assert_close(parts, whole)
    other = toys.task(forcing="sampled_level", seed=1).eval()
    assert not torch.allclose(other.held_out_losses(batch), whole)


def test_noise_is_its_own():
    """Of training, of other bands and of other scales it is independent."""
    task = toys.task(parameterization="eps")
    batch = toys.batch(64)
    task.held_out_losses(batch)
    (phase,) = task.phases()
    phase(batch)
    schedule, clean = phase.error.schedule, batch.pyramid[2]

    def noise(call):
        time = task.denoiser.times[call]
        alpha, sigma = (factor(time).float().view(-1, 1, 1, 1) for factor in (schedule.alpha, schedule.sigma))
        return ((task.denoiser.noisy[call] - alpha * clean) / sigma).flatten()

    drawn = torch.stack([noise(call) for call in (2 * BANDS + 2, 2 * BANDS + 3, 3 * BANDS + 2)])
    assert drawn.std(dim=1).tolist() == pytest.approx([1, 1, 1], abs=0.1)
    assert (drawn.corrcoef() - torch.eye(3)).abs().max() < 0.1


def test_no_condition_is_dropped():
    task = toys.task(condition_dropout=1.0)
    batch = toys.batch(4)
    task.held_out_losses(batch)
    torch.testing.assert_close(task.denoiser.contexts[0], task.conditioner(batch.annotations))


@torch.no_grad()
def test_is_the_loss_of_training(monkeypatch):
    """With the times and noise of the one given to the other."""
    task = toys.task(weighting="min_snr", condition_dropout=0.0, scale_weights=[1.0, 1.0, 1.0])
    batch = toys.batch(4, start=20)
    normal, uniform = rng.normal, rng.uniform

    def same(positions, *, seed, purpose, **shape):
        return normal(positions, seed=seed, purpose=purpose.removeprefix("held out/2/"), **shape)

    def even(positions, *, seed, purpose, **device):
        if purpose == "time":
            return (2 + evenly(positions)) / BANDS
        return uniform(positions, seed=seed, purpose=purpose, **device)

    monkeypatch.setattr(rng, "normal", same)
    monkeypatch.setattr(rng, "uniform", even)
    (phase,) = task.phases()
    trained = phase(batch)
    for scale, bands in enumerate(task.held_out_losses(batch)):
        torch.testing.assert_close(bands[2].mean(), trained[f"loss/scale{scale}"])


@torch.no_grad()
def test_a_copy_measures_its_own_weights():
    """As the trainer hands it out: a deep copy, with averaged weights put into it."""
    task, batch = toys.task(), toys.batch(4)
    before = task.held_out_losses(batch)
    averaged = copy.deepcopy(task)
    averaged.load_state_dict({name: 2 * tensor for name, tensor in task.state_dict().items()})
    assert not torch.allclose(averaged.held_out_losses(batch), before)
    assert torch.equal(task.held_out_losses(batch), before)
