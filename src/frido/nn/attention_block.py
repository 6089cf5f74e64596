"""Plain self-attention over the cells of a feature map."""

from collections.abc import Callable, Sequence

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from frido.contracts.errors import FridoError
from frido.nn.unet_attention import attend, count_heads


class AttentionBlock(nn.Module):
    """A norm, self-attention and a zero-initialised projection (ADM's attention; LDM's without a condition).

    Heads are given by their number or by their width; the other is null. It attends to no condition's tokens.

    Args:
        channels: Of the feature map (run time).
        context_width: Must be 0 (run time).
        norm: Takes `channels` and `epsilon`; the norm is called as `norm(hidden, modulation, embedding)` (run time).
        num_heads: Heads of the attention.
        head_channels: Width of a head.

    Raises:
        FridoError: There is a condition to attend to.
    """

    num_contexts = 0

    def __init__(
        self,
        *,
        channels: int,
        context_width: int,
        norm: Callable[..., nn.Module],
        num_heads: int | None,
        head_channels: int | None,
    ) -> None:
        super().__init__()
        if context_width:
            raise FridoError(
                "denoiser/attention",
                got=f"self-attention alone, with a conditioner whose tokens are {context_width} wide",
                wanted="cross-attention to the tokens, or a condition without tokens",
                do="denoiser/attention=transformer, or conditioning=none",
            )
        self.heads = count_heads(channels, num_heads=num_heads, head_channels=head_channels)
        self.norm = norm(channels=channels, epsilon=1e-5)
        self.queries_keys_values = nn.Conv1d(channels, 3 * channels, 1)
        self.project_out = nn.Conv1d(channels, channels, 1)
        nn.init.zeros_(self.project_out.weight)
        nn.init.zeros_(self.project_out.bias)  # type: ignore[arg-type]

    def keys_values(self, tokens: Float[Tensor, "batch tokens context_width"]) -> tuple[()]:
        """Return nothing: no condition is attended to."""
        return ()

    def forward(
        self,
        hidden: Float[Tensor, "batch channels height width"],
        embedding: Float[Tensor, "batch embedding_width"],
        modulation: tuple[Tensor, ...],
        contexts: Sequence[tuple[Tensor, Tensor]],
        mask: Bool[Tensor, "batch tokens"] | None,
    ) -> Float[Tensor, "batch channels height width"]:
        cells = rearrange(self.norm(hidden, modulation, embedding), "b c h w -> b c (h w)")
        parts = rearrange(self.queries_keys_values(cells), "b (k h d) n -> k b h n d", k=3, h=self.heads)
        queries, keys, values = parts.unbind()
        attended = rearrange(attend(queries, keys, values, None), "b h n d -> b (h d) n")
        return hidden + self.project_out(attended).view_as(hidden)
