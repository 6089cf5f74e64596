"""A norm that looks at one batch only."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders import ranks

EPSILON = 1e-6


class ActNorm(nn.Module):
    """Learned scale and shift per channel, of which the first training batch leaves with mean 0 and deviation 1.

    `y = scale * (x + loc)` (Kingma and Dhariwal, 2018, section 3.1). The first batch is that of all ranks.

    Args:
        num_features: Channels.
    """

    initialized: Tensor

    def __init__(self, *, num_features: int) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(1, num_features, 1, 1))
        self.scale = nn.Parameter(torch.ones(1, num_features, 1, 1))
        self.register_buffer("initialized", torch.tensor(0, dtype=torch.uint8))

    def forward(
        self, features: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        if self.training and not self.initialized:
            self._standardise(features)
            self.initialized.fill_(1)
        return self.scale * (features + self.loc)

    @torch.no_grad()
    def _standardise(self, features: Float[Tensor, "batch channels height width"]) -> None:
        values = features.float()
        mean = ranks.mean(values.mean(dim=(0, 2, 3), keepdim=True))
        squares = ranks.total((values - mean).square().sum(dim=(0, 2, 3), keepdim=True))
        count = values[:, 0].numel() * ranks.world_size()
        self.loc.copy_(-mean)
        self.scale.copy_(1 / ((squares / (count - 1)).sqrt() + EPSILON))
