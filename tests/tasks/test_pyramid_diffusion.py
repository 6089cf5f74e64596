"""The second stage with its real denoiser: it trains all of it, and samples."""

import math

import pytest
import torch

from frido.contracts.batch import Annotations
from frido.contracts.context import ContextWidths
from frido.contracts.errors import FridoError
from frido.diffusion.given import Given
from tests.denoisers import options
from tests.tasks import toys

SHAPES = toys.SHAPES[:2]


def make_task(conditioning="scene_graph", layout="native", forcing="constant_mix", view="none", **changes):
    torch.manual_seed(0)
    diffusion = {
        "schedule": "sqrt_linear",
        "parameterization": "v",
        "teacher_forcing": forcing,
        "layout": layout,
    }
    parts = {part: options.build(f"diffusion/{part}", name) for part, name in diffusion.items()}
    conditioner = options.build("conditioning", conditioning)(vocabulary=toys.VOCABULARY)
    view = options.build("view", view)(vocabulary=toys.VOCABULARY, latent_channels=2, factor=4)
    widths = ContextWidths(tokens=conditioner.width, map=view.channels, pooled=conditioner.pooled_width)
    denoiser = options.build("denoiser", "pyunet")(
        channels=(3, 2), context=widths, tells_level=parts["teacher_forcing"].tells_level
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # wake what starts at zero
        for parameter in denoiser.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / math.sqrt(parameter[0].numel()))
    node = options.node("task", "pyramid_diffusion") | changes
    return options.make(node)(denoiser=denoiser, conditioner=conditioner, view=view, **parts)


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
    """Stands in for the network: keeps noisy and coarse latents; always predicts zero."""

    def __init__(self, task, monkeypatch):
        self.noisy, self.coarse = [], []
        inner = task.denoiser

        def condition(*, scale, coarse, context, level=None):
            self.coarse.append(coarse)
            return type(inner).condition(inner, scale=scale, coarse=coarse, context=context, level=level)

        def forward(noisy, time, condition):
            self.noisy.append(noisy)
            return torch.zeros_like(noisy)

        monkeypatch.setattr(inner, "condition", condition)
        monkeypatch.setattr(inner, "forward", forward)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"conditioning": "none", "layout": "stacked"},
        {"forcing": "sampled_level"},
        {"scales": options.node("task/scales", "quotas")},
    ],
    ids=str,
)
def test_a_step_trains_everything(parts):
    """Under DDP a parameter without a gradient is an error."""
    task = make_task(**parts)
    (phase,) = task.phases()
    phase(toys.batch(4, shapes=SHAPES))["loss"].backward()
    assert [name for name, p in phase.named_parameters() if p.requires_grad and p.grad is None] == []
    assert {id(parameter) for parameter in phase.trained()} == {id(p) for p in task.parameters() if p.requires_grad}


def test_learns_one_batch():
    task = make_task()
    (phase,) = task.phases()
    optimizer = torch.optim.AdamW(phase.trained(), lr=5e-3)
    batch, history = toys.batch(4, shapes=SHAPES), []
    for _ in range(15):
        loss = phase(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.6 * history[0]


@pytest.mark.parametrize("layout", options.names("diffusion/layout"))
def test_first_noise_is_what_the_chains_begin_with(layout, monkeypatch):
    task = make_task(layout=layout)
    spy = Spy(task, monkeypatch)
    generate(task, toys.batch(2).annotations, [5, 7], guidance="none")
    first = task.first_noise(shapes=SHAPES, seed=3, keys=torch.tensor([5, 7]))
    steps = len(spy.noisy) // len(SHAPES)
    assert [torch.equal(spy.noisy[scale * steps], noise) for scale, noise in enumerate(first)] == [True, True]
    other = task.first_noise(shapes=SHAPES, seed=4, keys=torch.tensor([5, 7]))
    assert not any(torch.equal(*both) for both in zip(first, other, strict=True))


@pytest.mark.parametrize("layout", options.names("diffusion/layout"))
@pytest.mark.parametrize("sampler", options.names("diffusion/sampler"))
def test_generates_native_latents(sampler, layout):
    task = make_task(layout=layout)
    task.denoiser.train()
    pyramid = generate(task, toys.batch(2).annotations, [0, 1], sampler=sampler)
    assert [tuple(latent.shape[1:]) for latent in pyramid] == SHAPES
    assert all(latent.isfinite().all() and not latent.requires_grad for latent in pyramid)
    assert task.denoiser.training  # as it was


def test_noise_of_a_sample_does_not_depend_on_its_batch(monkeypatch):
    task = make_task()
    spy = Spy(task, monkeypatch)
    scenes = toys.batch(4).annotations
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
    generate(task, toys.batch(2).annotations, [0, 1])
    assert len(spy.coarse) == 4  # full and empty, for each of two scales
    assert len(spy.noisy) == 8  # four steps a scale
    assert all(len(noisy) == 4 for noisy in spy.noisy)  # both conditions in one call


def test_guidance_needs_dropout():
    with pytest.raises(FridoError, match="condition_dropout"):
        generate(make_task(condition_dropout=0.0), toys.batch(1).annotations, [0])
    with pytest.raises(FridoError, match="without a condition"):
        generate(make_task("none"), toys.batch(1).annotations, [0])
    generate(make_task("none"), toys.batch(1).annotations, [0], guidance="none")
    generate(make_task("class_pooled"), toys.batch(1).annotations, [0])  # a pooled vector can be pressed too


def test_draws_around_what_is_given(monkeypatch):
    """The given coarse latent stays and is shown; of the fine one a half does, noised by numbers of its own."""
    task = make_task()
    spy = Spy(task, monkeypatch)
    coarse, fine = (torch.randn(2, *shape) for shape in SHAPES)
    keep = torch.arange(8).lt(4).expand(2, 1, 8, 8)

    def draw(keys, seed=3):
        return task.generate(
            Annotations(*(tensor[: len(keys)] for tensor in toys.batch(2).annotations)),
            sampler=options.build("diffusion/sampler", "ddim"),
            guidance=options.build("diffusion/guidance", "none"),
            shapes=SHAPES,
            seed=seed,
            keys=torch.tensor(keys),
            given=[
                Given(coarse[: len(keys)], torch.ones(len(keys), 1, 4, 4, dtype=torch.bool), 1.0),
                Given(fine[: len(keys)], keep[: len(keys)], 1.0),
            ],
        )

    pyramid = draw([5, 6])
    assert torch.equal(pyramid[0], coarse) and torch.equal(spy.coarse[0][0][..., ::2, ::2], coarse)
    assert torch.equal(torch.where(keep, pyramid[1], 0), torch.where(keep, fine, 0))
    first, second = (noisy[..., :4] for noisy in spy.noisy[:2])  # of what is kept
    draw([5])
    assert torch.equal(spy.noisy[4][..., :4], first[:1]) and torch.equal(spy.noisy[5][..., :4], second[:1])
    draw([5], seed=4)
    assert not torch.allclose(spy.noisy[8][..., :4], first[:1])
    with pytest.raises(FridoError, match="one latent per scene"):
        task.generate(
            toys.batch(2).annotations,
            sampler=options.build("diffusion/sampler", "ddim"),
            guidance=options.build("diffusion/guidance", "none"),
            shapes=SHAPES,
            seed=3,
            keys=torch.tensor([0, 1]),
            given=[Given(fine, None, 0.5), None],
        )


def one_step_and_samples(task, device):
    """Return the loss of a step of plain descent in float32, the weights after it, and two sampled pyramids."""
    task.to(device)
    (phase,) = task.phases()
    optimizer = torch.optim.SGD(phase.trained(), lr=0.1)
    loss = phase(toys.batch(4, shapes=SHAPES).to(device))["loss"]
    loss.backward()
    optimizer.step()
    weights = {name: tensor.detach().cpu() for name, tensor in task.state_dict().items()}
    pyramid = task.generate(
        toys.batch(2).to(device).annotations,
        sampler=options.build("diffusion/sampler", "dpm_solver_pp"),
        guidance=options.build("diffusion/guidance", "classifier_free"),
        shapes=SHAPES,
        seed=3,
        keys=torch.tensor([5, 6], device=device),
    )
    assert all(latent.device.type == device.type for latent in pyramid)
    return loss.detach().cpu(), weights, [latent.cpu() for latent in pyramid]


@pytest.fixture
def exact_convolutions():
    """Keep TF32, of ten bits, out of cuDNN."""
    convolutions = torch.backends.cudnn.conv
    before, convolutions.fp32_precision = convolutions.fp32_precision, "ieee"
    yield
    convolutions.fp32_precision = before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_agrees(exact_convolutions):
    on_cpu, on_gpu = (one_step_and_samples(make_task(), torch.device(name)) for name in ("cpu", "cuda"))
    torch.testing.assert_close(on_gpu, on_cpu, atol=1e-3, rtol=1e-3)
