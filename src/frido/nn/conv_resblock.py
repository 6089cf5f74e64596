"""The residual block of the VQGAN family (Esser et al., 2021)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from frido.nn.norms import group_norm


class ConvResBlock(nn.Module):
    """Two times norm, swish, 3x3 convolution, around a skip connection (1x1 where the width changes)."""

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm_in = group_norm(in_channels)
        self.conv_in = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm_out = group_norm(out_channels)
        self.conv_out = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)

    def forward(
        self, features: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels height width"]:
        hidden = self.conv_in(F.silu(self.norm_in(features)))
        hidden = self.conv_out(F.silu(self.norm_out(hidden)))
        return self.shortcut(features) + hidden
