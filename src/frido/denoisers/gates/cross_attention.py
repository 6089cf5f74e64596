"""Attention to the cells of the coarser scales."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from frido.denoisers.gates.base import Gate, GateSite, scaled
from frido.nn.unet_attention import UNetAttention, count_heads


class CrossAttentionSite(GateSite):
    """`normed + attention(normed, cells of the coarse features)`."""

    def __init__(self, *, channels: int, coarse_channels: int, num_heads: int, init: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(coarse_channels)
        self.attention = UNetAttention(width=channels, source_width=coarse_channels, num_heads=num_heads)
        scaled(self.attention.output, init)

    def prepare(self, coarse: Float[Tensor, "batch coarse_channels height width"]) -> tuple[Tensor, ...]:
        return self.attention.keys_values(self.norm(rearrange(coarse, "b c h w -> b (h w) c")))

    def forward(
        self,
        normed: Float[Tensor, "batch channels height width"],
        prepared: tuple[Tensor, ...],
        embedding: Float[Tensor, "batch embedding_width"],
    ) -> Float[Tensor, "batch channels height width"]:
        keys, values = prepared
        attended = self.attention(rearrange(normed, "b c h w -> b (h w) c"), keys, values)
        return normed + rearrange(attended, "b (h w) c -> b c h w", h=normed.shape[2]).contiguous()


class CrossAttentionGate(Gate):
    """Where the U-Net attends, it attends to the coarser scales first; convolutions stay as they are.

    Heads are given by their number or by their width; the other is null.

    Args:
        num_heads: Heads of each attention.
        head_channels: Width of a head.
        init: Factor on the initial weights of the output projection; 0 starts as the identity.
    """

    enters = "norms"

    def __init__(self, *, num_heads: int | None, head_channels: int | None, init: float) -> None:
        self.heads, self.init = {"num_heads": num_heads, "head_channels": head_channels}, init

    def site(self, *, channels: int, coarse_channels: int, embedding_width: int, attends: bool) -> GateSite | None:
        if not attends:
            return None
        return CrossAttentionSite(
            channels=channels,
            coarse_channels=coarse_channels,
            num_heads=count_heads(channels, **self.heads),
            init=self.init,
        )
