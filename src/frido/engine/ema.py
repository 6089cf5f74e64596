"""Averages of weights, kept beside them and never swapped in."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from frido.engine.averages.base import Average


class Ema:
    """Moving averages of everything in a model's `state_dict`, several side by side.

    Parameters are averaged; buffers (codebooks with their own averages, counters, scale factors) are copied.
    The model's own weights are only read, so that whatever happens while an average is in use, a checkpoint
    of the model holds the model.

    Args:
        model: Whose weights to average; every average starts as a copy of them.
        averages: How fast to forget, by name.
    """

    def __init__(self, model: nn.Module, *, averages: Mapping[str, Average]) -> None:
        self.averages = dict(averages)
        state = model.state_dict()
        self.weights = {name: {key: tensor.detach().clone() for key, tensor in state.items()} for name in self.averages}

    @torch.no_grad()
    def update(self, model: nn.Module, *, images_seen: int, batch: int) -> None:
        """Take in the weights of `model` after the step of `batch` images that ended at `images_seen`."""
        if not self.averages:
            return
        # Asked for anew each time: a module may have replaced a buffer by another tensor.
        state = model.state_dict(keep_vars=True)
        parameters = {key: value for key, value in state.items() if isinstance(value, nn.Parameter) and _is_real(value)}
        buffers = {key: value for key, value in state.items() if key not in parameters}
        latest = list(parameters.values())
        for name, average in self.averages.items():
            weights = self.weights[name]
            for key, buffer in buffers.items():
                weights[key].copy_(buffer)
            if parameters:
                decay = average.decay(images_seen, batch=batch)
                get_ema_multi_avg_fn(decay)([weights[key] for key in parameters], latest, 0)

    def restore(self, weights: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what a checkpoint kept."""
        for name, own in self.weights.items():
            for key, tensor in own.items():
                tensor.copy_(weights[name][key])


def _is_real(tensor: Tensor) -> bool:
    return tensor.is_floating_point()
