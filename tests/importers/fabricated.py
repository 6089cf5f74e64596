"""What official networks written as plain functions have in common."""

import torch
import torch.nn.functional as F

from tests.parity.golden import recipe


class Fabricated:
    """A model of `config`, its official settings; `weights` fills as it is used, with what `make` returns.

    On the meta device a pass costs nothing, and leaves the shapes of a model of any size.
    """

    def __init__(self, config, make=lambda name, shape: torch.from_numpy(recipe(name, shape))):
        self.config, self.make, self.weights = config, make, {}

    def param(self, name, *shape):
        if name not in self.weights:
            self.weights[name] = self.make(name, shape)
        assert self.weights[name].shape == shape, name
        return self.weights[name]

    def conv(self, name, x, out, kernel=3, **options):
        weight = self.param(f"{name}.weight", out, x.shape[1], kernel, kernel)
        return F.conv2d(x, weight, self.param(f"{name}.bias", out), **({"padding": kernel // 2} | options))
