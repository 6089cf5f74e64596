"""The U-Net's residual block, how an embedding enters it, and changes of resolution."""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class AddEmbedding(nn.Module):
    """Adds an embedding to every cell, before the norm (LDM, Frido).

    Args:
        embedding_width: Of the embedding.
        channels: Of the feature map.
    """

    def __init__(self, *, embedding_width: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(embedding_width, channels)

    def forward(
        self,
        hidden: Float[Tensor, "batch channels height width"],
        embedding: Float[Tensor, "batch embedding_width"],
        norm: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "batch channels height width"]:
        """Return `norm(hidden + embedding)`."""
        return norm(hidden + self.linear(embedding)[:, :, None, None])


class ScaleShiftEmbedding(nn.Module):
    """Scales and shifts what the norm returns by an embedding (ADM's adaptive group norm, Dhariwal and Nichol, 2021).

    Args:
        embedding_width: Of the embedding.
        channels: Of the feature map.
    """

    def __init__(self, *, embedding_width: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(embedding_width, 2 * channels)

    def forward(
        self,
        hidden: Float[Tensor, "batch channels height width"],
        embedding: Float[Tensor, "batch embedding_width"],
        norm: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "batch channels height width"]:
        """Return `norm(hidden) * (1 + scale) + shift`."""
        scale, shift = self.linear(embedding)[:, :, None, None].chunk(2, dim=1)
        return norm(hidden) * (1 + scale) + shift


class UNetResBlock(nn.Module):
    """Two 3x3 convolutions, each behind a norm and SiLU; the embedding enters at the second norm (ADM, LDM).

    Args:
        in_channels: Of the input; where `out_channels` differs, a 1x1 convolution carries the skip.
        out_channels: Of the output.
        dropout: Share of activations before the second convolution set to zero in training.
        norm_in: Called as `norm_in(hidden, modulation, embedding)` on `in_channels`.
        norm_out: The same on `out_channels`.
        embedding: Called as `embedding(hidden, embedding, norm)` on `out_channels`.
        resample: Changes the resolution of the update, before its first convolution, and of the skip.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        dropout: float,
        norm_in: nn.Module,
        norm_out: nn.Module,
        embedding: nn.Module,
        resample: nn.Module,
    ) -> None:
        super().__init__()
        self.norm_in = norm_in
        self.resample = resample
        self.conv_in = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.embedding = embedding
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
        modulations: Sequence[tuple[Tensor, ...]],
    ) -> Float[Tensor, "batch out_channels out_height out_width"]:
        """`embedding` has been through SiLU already; `modulations` are for the two norms, empty for a plain one."""

        def norm_out(update: Tensor) -> Tensor:
            return self.norm_out(update, modulations[1], embedding)

        update = F.silu(self.norm_in(hidden, modulations[0], embedding))
        update = self.embedding(self.conv_in(self.resample(update)), embedding, norm_out)
        update = self.conv_out(self.dropout(F.silu(update)))
        return self.skip(self.resample(hidden)) + update


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
        return self.conv(F.interpolate(hidden, scale_factor=2, mode="nearest"))
