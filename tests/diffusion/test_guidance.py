"""Guidance: its formulas, and one network call."""

import pytest
import torch

from frido.contracts.denoiser import Condition, Denoiser
from frido.contracts.errors import FridoError
from frido.diffusion.guidance.classifier_free import ClassifierFree
from frido.diffusion.guidance.interval import Interval
from frido.diffusion.guidance.rescaled import Rescaled
from tests.denoisers import options

SCHEDULE = options.build("diffusion/schedule", "sqrt_linear")
WEIGHTED = [
    name for name in options.names("diffusion/guidance") if "weight" in options.node("diffusion/guidance", name)
]


class Counted(Denoiser):
    """Says `noisy * time / 100 + embedding` and counts the samples of its calls."""

    def __init__(self):
        super().__init__()
        self.channels, self.batches = (2,), []

    def condition(self, *, scale, coarse, context, level=None):
        raise NotImplementedError

    def forward(self, noisy, time, condition):
        self.batches.append(len(noisy))
        return noisy * time.view(-1, 1, 1, 1) / 100 + condition.embedding[:, :, None, None]


NOISY, TIME = torch.randn(3, 2, 4, 4), torch.full((3,), 400.0)
FULL, EMPTY = (Condition(0, embedding=torch.randn(3, 2)) for _ in range(2))


def guided(guidance, time=TIME):
    """Return what a guided network says, what it says under each condition, and how many samples it was called on."""
    network = Counted()
    empty, full = network(NOISY, time, EMPTY), network(NOISY, time, FULL)
    said = guidance(network, FULL, EMPTY, schedule=SCHEDULE)(NOISY, time)
    assert len(network.batches) == 3, "one call"
    return said, empty, full, network.batches[-1]


@pytest.mark.parametrize("time", [0.0, 400.0, 999.0])
@pytest.mark.parametrize("name", options.names("diffusion/guidance"))
def test_one_call(name, time):
    said, *_ = guided(options.build("diffusion/guidance", name), torch.full((3,), time))
    assert said.shape == NOISY.shape and said.isfinite().all()


@pytest.mark.parametrize("name", WEIGHTED)
def test_weight_one_changes_nothing(name):
    """Not a bit, at no cost."""
    node = options.node("diffusion/guidance", name)
    for weight in (1.0, [1.0, 1.0]):
        guidance = options.make(node | {"weight": weight})
        assert not guidance.uses_empty
        said, _, full, samples = guided(guidance)
        assert torch.equal(said, full) and samples == 3


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_per_scale(name):
    node = options.node("diffusion/guidance", name)
    guidance = options.make(node | {"weight": [1.0, 3.0]})
    assert guidance.uses_empty
    assert [guidance.at(scale, num_scales=2).uses_empty for scale in (0, 1)] == [False, True]
    said, *_ = guided(guidance.at(1, num_scales=2))
    assert torch.equal(said, guided(options.make(node | {"weight": 3.0}))[0])
    with pytest.raises(FridoError, match=r"diffusion\.guidance\.weight"):
        guidance.at(0, num_scales=3)


@pytest.mark.parametrize("weight", [0.0, 1.5, 4.0])
def test_classifier_free(weight):
    said, empty, full, samples = guided(ClassifierFree(weight=weight))
    torch.testing.assert_close(said, empty + weight * (full - empty))
    assert samples == 6


@pytest.mark.parametrize("weight", [1.5, 4.0])
def test_rescaled_has_the_deviation_of_the_conditional_prediction(weight):
    pressed = guided(ClassifierFree(weight=weight))[0]
    said, _, full, samples = guided(Rescaled(weight=weight, phi=1.0))
    torch.testing.assert_close(said.std(dim=(1, 2, 3)), full.std(dim=(1, 2, 3)))
    scale = said / pressed
    torch.testing.assert_close(scale, scale[:, :1, :1, :1].expand_as(scale))
    assert samples == 6
    half, *_ = guided(Rescaled(weight=weight, phi=0.5))
    torch.testing.assert_close(half, (said + pressed) / 2)
    torch.testing.assert_close(guided(Rescaled(weight=weight, phi=0.0))[0], pressed)


def test_interval_is_off_outside_and_costs_nothing_there():
    levels = SCHEDULE.sigma(TIME[:1]) / SCHEDULE.alpha(TIME[:1])
    level = levels.item()
    pressed = guided(ClassifierFree(weight=3.0))[0]
    for low, high, on in [(0.5 * level, 2 * level, True), (0.5 * level, level, True), (level, 2 * level, False)]:
        said, _, full, samples = guided(Interval(weight=3.0, low=low, high=high))
        assert torch.equal(said, pressed if on else full)
        assert samples == (6 if on else 3)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Interval(weight=2.0, low=5.0, high=0.3), "low"),
        (lambda: Interval(weight=2.0, low=-1.0, high=0.3), "low"),
        (lambda: Rescaled(weight=2.0, phi=7.0), "phi"),
    ],
)
def test_ranges_are_checked(make, name):
    with pytest.raises(FridoError, match=rf"diffusion\.guidance\.{name}"):
        make()
