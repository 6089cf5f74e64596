"""The second stage's phase and its sampling."""

import math

import pytest
import torch

from frido.contracts.batch import Annotations, Batch
from frido.contracts.errors import FridoError
from frido.contracts.scene import Vocabulary
from tests.denoisers import options

SHAPES = [(3, 4, 4), (2, 8, 8)]
VOCABULARY = Vocabulary(("circle", "square"), ("red", "blue"), ("left of", "above"))


def annotations(batch, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def ids(high, *shape):
        return torch.randint(0, high, (batch, *shape), generator=generator)

    return Annotations(ids(2, 3), ids(2, 3, 1), torch.rand(batch, 3, 4, generator=generator), ids(2, 2, 3))


def make_batch(size=4, start=0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        images=None,
        annotations=annotations(size, seed),
        ids=tuple(str(i) for i in range(size)),
        positions=torch.arange(start, start + size),
        valid=torch.ones(size, dtype=torch.bool),
        pyramid=tuple(torch.randn(size, *shape, generator=generator) for shape in SHAPES),
    )


def make_task(conditioning="scene_graph", layout="native", forcing="constant_mix", parameterization="v", **changes):
    torch.manual_seed(0)
    conditioner = options.build("conditioning", conditioning)(vocabulary=VOCABULARY)
    denoiser = options.build("denoiser", "pyunet")(channels=(3, 2), context_width=conditioner.width)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # wake what starts at zero
        for parameter in denoiser.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / math.sqrt(parameter[0].numel()))
    loss = changes.pop("loss", "l2")
    node = options.node("task", "pyramid_diffusion") | changes
    node["loss"] = options.node("task/loss", loss)
    return options.make(node)(
        denoiser=denoiser,
        conditioner=conditioner,
        schedule=options.build("diffusion/schedule", "sqrt_linear"),
        parameterization=options.build("diffusion/parameterization", parameterization),
        teacher_forcing=options.build("diffusion/teacher_forcing", forcing),
        layout=options.build("diffusion/layout", layout),
    )


def generate(task, scenes, keys, sampler="dpm_solver_pp", guidance="classifier_free"):
    return task.generate(
        scenes,
        sampler=options.build("diffusion/sampler", sampler),
        guidance=options.build("diffusion/guidance", guidance),
        shapes=SHAPES,
        seed=3,
        keys=torch.tensor(keys),
    )


class Spy:
    """Stands in for the network: keeps noisy inputs, times, conditions; always predicts zero."""

    def __init__(self, task, monkeypatch):
        self.noisy, self.times, self.coarse, self.contexts = [], [], [], []
        inner = task.denoiser

        def condition(*, scale, coarse, context):
            self.coarse.append(coarse)
            self.contexts.append(context)
            return type(inner).condition(inner, scale=scale, coarse=coarse, context=context)

        def forward(noisy, time, condition):
            self.noisy.append(noisy)
            self.times.append(time)
            return torch.zeros_like(noisy)

        monkeypatch.setattr(inner, "condition", condition)
        monkeypatch.setattr(inner, "forward", forward)


@pytest.mark.parametrize("layout", options.names("diffusion/layout"))
@pytest.mark.parametrize("conditioning", options.names("conditioning"))
def test_losses(conditioning, layout):
    task = make_task(conditioning, layout)
    (phase,) = task.phases()
    losses = phase(make_batch())
    assert set(losses) == {"loss", "loss/scale0", "loss/scale1"}
    mean = (losses["loss/scale0"] + losses["loss/scale1"]) / 2
    torch.testing.assert_close(losses["loss"].detach(), mean)
    assert losses["loss"].requires_grad and not losses["loss/scale0"].requires_grad
    losses["loss"].backward()
    assert [name for name, p in phase.named_parameters() if p.requires_grad and p.grad is None] == []
    assert len(list(phase.trained())) == sum(p.requires_grad for p in phase.parameters())


def test_noise_follows_schedule_and_is_the_targets(monkeypatch):
    """With a prediction of zero and eps as target, the loss is the power of the very noise in the input."""
    task = make_task(parameterization="eps", condition_dropout=0.0)
    spy = Spy(task, monkeypatch)
    batch = make_batch(64)
    losses = task.phases()[0](batch)
    assert torch.equal(spy.times[0], spy.times[1])
    assert spy.times[0].min() >= 0 and spy.times[0].max() <= 999
    assert (spy.times[0] == spy.times[0].round()).all()
    for scale, clean in enumerate(batch.pyramid):
        alpha, sigma = (f(spy.times[0]).float().view(-1, 1, 1, 1) for f in (task.schedule.alpha, task.schedule.sigma))
        noise = (spy.noisy[scale] - alpha * clean) / sigma
        assert noise.mean().abs() < 0.1 and abs(noise.std() - 1) < 0.1
        torch.testing.assert_close(losses[f"loss/scale{scale}"], noise.square().mean(), rtol=1e-3, atol=0)


def test_coarse_latents_are_forced_on_the_grid_of_the_scale(monkeypatch):
    """Official: `0.9 z + 0.1 noise`; native latents are then resized."""
    task = make_task()
    spy = Spy(task, monkeypatch)
    batch = make_batch(64)
    task.phases()[0](batch)
    assert spy.coarse[0] == ()
    (forced,) = spy.coarse[1]
    assert forced.shape[2:] == (8, 8)
    noise = (forced[:, :, ::2, ::2] - 0.9 * batch.pyramid[0]) / 0.1
    assert abs(noise.std() - 1) < 0.1
    torch.testing.assert_close(forced[:, :, ::2, ::2], forced[:, :, 1::2, 1::2])


def test_stacked_noise_is_independent_in_every_fine_cell(monkeypatch):
    task = make_task(layout="stacked")
    spy = Spy(task, monkeypatch)
    task.phases()[0](make_batch())
    assert [noisy.shape[2:] for noisy in spy.noisy] == [(8, 8), (8, 8)]
    assert not torch.allclose(spy.noisy[0][..., ::2, ::2], spy.noisy[0][..., 1::2, 1::2])
    assert not torch.allclose(spy.coarse[1][0][..., ::2, ::2], spy.coarse[1][0][..., 1::2, 1::2])


def test_randomness_belongs_to_the_sample(monkeypatch):
    """The same samples in other batches see the same noise, times and dropout, bit for bit."""
    task = make_task(condition_dropout=0.5)
    spy = Spy(task, monkeypatch)
    whole = make_batch(6)
    task.phases()[0](whole)
    task.phases()[0](whole.rows(2, 5))
    for scale in range(2):
        assert torch.equal(spy.noisy[2 + scale], spy.noisy[scale][2:5])
        assert torch.equal(spy.times[2 + scale], spy.times[scale][2:5])
        assert torch.equal(spy.contexts[2 + scale].mask, spy.contexts[scale].mask[2:5])
    later = whole._replace(positions=whole.positions + 100)
    task.phases()[0](later)
    assert not torch.equal(spy.noisy[4], spy.noisy[0])


def test_dropout_uses_the_empty_context(monkeypatch):
    task = make_task(condition_dropout=0.3)
    spy = Spy(task, monkeypatch)
    batch = make_batch(256)
    task.phases()[0](batch)
    context, empty = spy.contexts[0], task.conditioner.empty(batch.annotations)
    dropped = context.mask.sum(1) == 1
    assert 0.2 < dropped.float().mean() < 0.4
    assert torch.equal(context.tokens[dropped], empty.tokens[dropped])
    assert torch.equal(context.tokens[~dropped], task.conditioner(batch.annotations).tokens[~dropped])
    assert torch.equal(spy.contexts[1].mask, context.mask)  # one decision for all scales


@pytest.mark.parametrize(("loss", "power"), [("l1", 1), ("l2", 2)])
def test_weights_and_losses(loss, power, monkeypatch):
    task = make_task(loss=loss, scale_weights=[0.2, 3.0], parameterization="eps")
    spy = Spy(task, monkeypatch)
    batch = make_batch()
    losses = task.phases()[0](batch)
    total = 0.2 * losses["loss/scale0"] + 3.0 * losses["loss/scale1"]
    torch.testing.assert_close(losses["loss"].detach(), total)
    alpha, sigma = (f(spy.times[0]).float().view(-1, 1, 1, 1) for f in (task.schedule.alpha, task.schedule.sigma))
    noise = (spy.noisy[0] - alpha * batch.pyramid[0]) / sigma
    torch.testing.assert_close(losses["loss/scale0"], (noise.abs() ** power).mean(), rtol=1e-3, atol=0)


def test_learns_one_batch():
    task = make_task()
    (phase,) = task.phases()
    optimizer = torch.optim.AdamW(phase.trained(), lr=3e-3)
    batch = make_batch(4)
    history = []
    for _ in range(30):
        loss = phase(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.4 * history[0]


@pytest.mark.parametrize("layout", options.names("diffusion/layout"))
@pytest.mark.parametrize("sampler", options.names("diffusion/sampler"))
def test_generates_native_latents(sampler, layout):
    task = make_task(layout=layout)
    task.denoiser.train()
    pyramid = generate(task, annotations(2), [0, 1], sampler=sampler)
    assert [tuple(latent.shape[1:]) for latent in pyramid] == SHAPES
    assert all(latent.isfinite().all() and not latent.requires_grad for latent in pyramid)
    assert task.denoiser.training  # as it was


def test_noise_of_a_sample_does_not_depend_on_its_batch(monkeypatch):
    task = make_task()
    spy = Spy(task, monkeypatch)
    scenes = annotations(4)
    together = generate(task, scenes, [5, 6, 7, 8], sampler="ddim_official", guidance="none")
    starts = spy.noisy[0].clone()
    spy.noisy.clear()
    some = Annotations(*(tensor[1:3] for tensor in scenes))
    apart = generate(task, some, [6, 7], sampler="ddim_official", guidance="none")
    assert torch.equal(spy.noisy[0], starts[1:3])
    for whole, part in zip(together, apart, strict=True):
        torch.testing.assert_close(part, whole[1:3], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(starts[0], starts[1])


def test_condition_is_made_once_per_scale(monkeypatch):
    task = make_task()
    spy = Spy(task, monkeypatch)
    generate(task, annotations(2), [0, 1])
    assert len(spy.coarse) == 4  # full and empty, for each of two scales
    assert len(spy.noisy) == 8  # four steps a scale
    assert all(len(noisy) == 4 for noisy in spy.noisy)  # both conditions in one call


def test_guidance_needs_dropout():
    with pytest.raises(FridoError, match="condition_dropout"):
        generate(make_task(condition_dropout=0.0), annotations(1), [0])
    with pytest.raises(FridoError, match="without a condition"):
        generate(make_task("none"), annotations(1), [0])
    generate(make_task("none"), annotations(1), [0], guidance="none")


@pytest.mark.parametrize("bad", [{"scale_weights": [1.0]}, {"condition_dropout": 1.5}])
def test_bad_settings(bad):
    with pytest.raises(FridoError, match=next(iter(bad))):
        make_task(**bad)
