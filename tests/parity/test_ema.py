"""The average of weights against the official one, update by update."""

from itertools import count

import pytest
import torch
from torch import nn

from frido.engine.averages.classic import Classic
from frido.engine.ema import Ema
from tests.parity import golden


class Weights(nn.Module):
    """The recorded parameters, under their names."""

    def __init__(self, pair, moment):
        super().__init__()
        for name in pair.tensors:
            if name.startswith(f"{moment}/"):
                own = name.removeprefix(f"{moment}/").replace(".", "_")
                self.register_parameter(own, nn.Parameter(pair[name].clone()))


@pytest.mark.parametrize("path", golden.cases("frido.modules.ema.LitEma"))
def test_average_after_every_update(path):
    pair = golden.load(path)
    assert pair.config["use_num_updates"], "a decay without warm-up is another average"
    ema = Ema(Weights(pair, "init"), averages={"classic": Classic(limit=pair.config["decay"])})
    updates = next(index for index in count() if not any(name.startswith(f"param{index}/") for name in pair.tensors))
    assert updates > 0
    for index in range(updates):
        ema.update(Weights(pair, f"param{index}"), images_seen=index + 1, batch=1)
        for name, expected in Weights(pair, f"ema{index}").state_dict().items():
            torch.testing.assert_close(ema.weights["classic"][name], expected, atol=1e-6, rtol=1e-6)
