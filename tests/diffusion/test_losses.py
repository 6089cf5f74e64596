"""Losses."""

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.diffusion.losses.huber import Huber
from frido.diffusion.losses.l1 import L1
from frido.diffusion.losses.l2 import L2
from tests.denoisers import options

PREDICTION, TARGET = torch.randn(5, 3, 4, 4), torch.randn(5, 3, 4, 4)


@pytest.mark.parametrize("name", options.names("task/loss"))
def test_distance_per_sample(name):
    loss = options.build("task/loss", name)
    losses = loss(PREDICTION, TARGET)
    assert losses.shape == (5,) and (losses > 0).all()
    assert torch.equal(loss(TARGET, TARGET), torch.zeros(5))
    torch.testing.assert_close(loss(PREDICTION[1:3], TARGET[1:3]), losses[1:3])
    assert loss(PREDICTION.bfloat16(), TARGET).dtype == torch.float32


def test_closed_forms():
    apart = [loss(TARGET + 0.5, TARGET)[0].item() for loss in (L1(), L2(), Huber(delta=1.0), Huber(delta=0.2))]
    assert apart == pytest.approx([0.5, 0.25, 0.125, 0.2 * (0.5 - 0.1)], rel=1e-5)


def test_huber_needs_a_delta():
    with pytest.raises(FridoError, match=r"task\.loss\.delta"):
        Huber(delta=0.0)
