"""Times of training."""

import pytest
import torch

from frido.diffusion.times.continuous import Continuous
from frido.diffusion.times.discrete import Discrete
from tests.denoisers import options

EVEN = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
LAST = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
"""The ends of what can be drawn."""


@pytest.mark.parametrize("name", options.names("task/times"))
@pytest.mark.parametrize("num_steps", [10, 1000])
def test_even_numbers_give_even_times(name, num_steps):
    times = options.build("task/times", name)(EVEN, num_steps=num_steps)
    assert times.dtype == torch.float32
    assert (times.diff() >= 0).all()
    counts = times.histc(bins=5, min=0, max=num_steps - 1)
    assert counts.tolist() == pytest.approx([200] * 5, abs=20)
    ends = options.build("task/times", name)(LAST, num_steps=num_steps)
    assert ends[0] == 0 and ends[1] == pytest.approx(num_steps - 1, abs=1e-3)


def test_discrete_times_are_whole_and_all_alike():
    times = Discrete()(EVEN, num_steps=10)
    assert times.unique(return_counts=True)[1].tolist() == [100] * 10
    assert times.unique().tolist() == list(range(10))


def test_continuous_times_fall_between_steps():
    times = Continuous()(EVEN, num_steps=10)
    assert len(times.unique()) == 1000
