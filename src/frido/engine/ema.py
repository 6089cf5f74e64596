"""An average of weights, kept beside them and never swapped in."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from frido.engine.averages.base import Average


class Ema:
    """The moving average of everything in a model's `state_dict`.

    Parameters are averaged; buffers (codebooks with their own averages, counters, scale factors) are copied.
    The model's own weights are only read, so that whatever happens while the average is in use, a checkpoint
    of the model holds the model.

    Args:
        model: Whose weights to average; the average starts as a copy of them.
        average: How fast to forget.
    """

    def __init__(self, model: nn.Module, *, average: Average) -> None:
        self.average = average
        self.weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, *, images_seen: int, batch: int) -> None:
        """Take in the weights of `model` after the step of `batch` images that ended at `images_seen`."""
        # Asked for anew each time: a module may have replaced a buffer by another tensor.
        state = model.state_dict(keep_vars=True)
        averaged, latest = [], []
        for name, tensor in state.items():
            if isinstance(tensor, nn.Parameter) and tensor.is_floating_point():
                averaged.append(self.weights[name])
                latest.append(tensor)
            else:
                self.weights[name].copy_(tensor)
        if averaged:
            decay = self.average.decay(images_seen, batch=batch)
            get_ema_multi_avg_fn(decay)(averaged, latest, 0)

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Put back what a checkpoint kept."""
        for name, tensor in self.weights.items():
            tensor.copy_(weights[name])
