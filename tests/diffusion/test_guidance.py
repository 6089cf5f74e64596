"""Guidance: its formula, and one network call."""

import pytest
import torch

from frido.contracts.denoiser import Condition, Denoiser
from frido.diffusion.guidance.classifier_free import ClassifierFree
from tests.denoisers import options


class Counted(Denoiser):
    """Says `noisy * time + embedding` and counts calls."""

    def __init__(self):
        super().__init__()
        self.channels, self.batches = (2,), []

    def condition(self, *, scale, coarse, context):
        raise NotImplementedError

    def forward(self, noisy, time, condition):
        self.batches.append(len(noisy))
        return noisy * time.view(-1, 1, 1, 1) + condition.embedding[:, :, None, None]


NOISY, TIME = torch.randn(3, 2, 4, 4), torch.tensor([1.0, 2.0, 3.0])
FULL, EMPTY = (Condition(0, embedding=torch.randn(3, 2)) for _ in range(2))


@pytest.mark.parametrize("name", options.names("diffusion/guidance"))
def test_one_call(name):
    network = Counted()
    denoise = options.build("diffusion/guidance", name)(network, FULL, EMPTY)
    assert denoise(NOISY, TIME).shape == NOISY.shape
    assert len(network.batches) == 1


@pytest.mark.parametrize("weight", [0.0, 1.5, 4.0])
def test_formula(weight):
    network = Counted()
    empty, full = network(NOISY, TIME, EMPTY), network(NOISY, TIME, FULL)
    guided = ClassifierFree(weight=weight)(network, FULL, EMPTY)(NOISY, TIME)
    torch.testing.assert_close(guided, empty + weight * (full - empty))
    assert network.batches[-1] == 6


def test_weight_one_changes_nothing():
    network = Counted()
    guidance = ClassifierFree(weight=1.0)
    assert not guidance.uses_empty
    assert torch.equal(guidance(network, FULL, EMPTY)(NOISY, TIME), network(NOISY, TIME, FULL))
    assert network.batches == [3, 3]
