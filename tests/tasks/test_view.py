"""What is shown of images reaches the denoiser, in training as in sampling, whatever else it is told."""

import pytest
import torch

from tests.denoisers import options
from tests.tasks import toys


@pytest.fixture
def task():
    task = toys.task(shapes=toys.SHAPES[:2], view="segmentation", condition_dropout=0.5)
    with torch.no_grad():
        task.view.projection.weight.copy_(torch.arange(9.0).view(3, 3, 1, 1))
    return task


def seen(size=6):
    """A batch whose prepared view has one category per sample."""
    view = (torch.arange(size) % 3 - 1).short().view(size, 1, 1, 1).expand(size, 1, 16, 16)
    return toys.batch(size, shapes=toys.SHAPES[:2])._replace(view=view)


def expected(batch):
    colours = torch.tensor([[0.0, 3, 6], [1, 4, 7], [2, 5, 8]])
    return colours[batch.view[:, 0, 0, 0].long() + 1][:, :, None, None].expand(-1, 3, 4, 4)


def test_training_shows_it_with_and_without_the_condition(task):
    batch = seen()
    (phase,) = task.phases()
    losses = phase(batch)
    assert len(task.denoiser.contexts) == 2
    for context in task.denoiser.contexts:
        torch.testing.assert_close(context.map.detach(), expected(batch))
    assert len(context.mask.sum(1).unique()) == 2, "some conditions were dropped, none of the maps"
    assert losses["loss"].requires_grad
    assert "projection.weight" in [name for name, _ in task.view.named_parameters()]
    assert any(parameter is task.view.projection.weight for parameter in phase.trained())


def test_held_out_losses_show_it(task):
    batch = seen()
    task.held_out_losses(batch)
    for context in task.denoiser.contexts:
        assert torch.equal(context.map[: len(batch.ids)], expected(batch)[: len(context.map)])


def test_sampling_shows_it_to_both_sides_of_guidance(task):
    batch = seen()
    task.generate(
        batch.annotations,
        sampler=options.build("diffusion/sampler", "ddim"),
        guidance=options.build("diffusion/guidance", "classifier_free"),
        shapes=toys.SHAPES[:2],
        seed=0,
        keys=batch.positions,
        view=batch.view,
    )
    assert len(task.denoiser.contexts) == 4, "the full and the empty context at each of two scales"
    for context in task.denoiser.contexts:
        torch.testing.assert_close(context.map, expected(batch))
