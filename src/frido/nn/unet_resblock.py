"""The U-Net's residual block and its changes of resolution."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class UNetResBlock(nn.Module):
    """Two 3x3 convolutions, each behind a norm and SiLU; the embedding is added between them (ADM, LDM).

    Args:
        in_channels: Of the input; where `out_channels` differs, a 1x1 convolution carries the skip.
        out_channels: Of the output.
        embedding_width: Of the time and stage embedding.
        dropout: Share of activations before the second convolution set to zero in training.
        norm_in: Called as `norm_in(hidden, modulation)` on `in_channels`.
        norm_out: The same on `out_channels`.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        embedding_width: int,
        dropout: float,
        norm_in: nn.Module,
        norm_out: nn.Module,
    ) -> None:
        super().__init__()
        self.norm_in = norm_in
        self.conv_in = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.embedding = nn.Linear(embedding_width, out_channels)
        self.norm_out = norm_out
        self.dropout = nn.Dropout(dropout)
        self.conv_out = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]
        self.skip = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)

    def forward(
        self,
        hidden: Float[Tensor, "batch in_channels height width"],
        embedding: Float[Tensor, "batch embedding_width"],
        modulations: Sequence[tuple[Tensor, Tensor] | None],
    ) -> Float[Tensor, "batch out_channels height width"]:
        """`embedding` has been through SiLU already; `modulations` are for the two norms, `None` for a plain one."""
        update = self.conv_in(F.silu(self.norm_in(hidden, modulations[0])))
        update = update + self.embedding(embedding)[:, :, None, None]
        update = self.conv_out(self.dropout(F.silu(self.norm_out(update, modulations[1]))))
        return self.skip(hidden) + update


class UNetDownsample(nn.Module):
    """A strided 3x3 convolution that halves height and width."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(
        self, hidden: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels half_height half_width"]:
        return self.conv(hidden)


class UNetUpsample(nn.Module):
    """Nearest-neighbour doubling of height and width, then a 3x3 convolution."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(
        self, hidden: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels double_height double_width"]:
        return self.conv(torch.nn.functional.interpolate(hidden, scale_factor=2, mode="nearest"))
