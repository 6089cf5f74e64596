"""The U-Net between input and output convolutions."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from frido.contracts.denoiser import Condition
from frido.denoisers.gated_norm import GatedNorm
from frido.nn.spatial_transformer import SpatialTransformer
from frido.nn.unet_resblock import UNetDownsample, UNetResBlock, UNetUpsample


class BlockSettings(NamedTuple):
    """What all blocks of a trunk have in common."""

    embedding_width: int
    context_width: int
    transformer_depth: int
    head_channels: int | None
    dropout: float
    norm: Callable[..., GatedNorm]
    """Takes `channels`, `epsilon` and `factor`."""


class TrunkBlock(nn.Module):
    """A residual block, a transformer at the scales that attend here, and an upsampling where a level ends.

    `places` says where a scale's `Condition` holds what this block needs: its first norm, its first cross-attention.
    The trunk sets it.
    """

    places: dict[int, tuple[int, int]]

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        factor: int,
        attending: Collection[int],
        upsample: bool,
        settings: BlockSettings,
    ) -> None:
        super().__init__()
        self.attending = frozenset(attending)
        norm = partial(settings.norm, factor=factor)
        self.residual = UNetResBlock(
            in_channels=in_channels,
            out_channels=out_channels,
            embedding_width=settings.embedding_width,
            dropout=settings.dropout,
            norm_in=norm(channels=in_channels, epsilon=1e-5),
            norm_out=norm(channels=out_channels, epsilon=1e-5),
        )
        self.transformer: SpatialTransformer | None = None
        if attending:
            self.transformer = SpatialTransformer(
                channels=out_channels,
                norm=norm(channels=out_channels, epsilon=1e-6),
                depth=settings.transformer_depth,
                context_width=settings.context_width,
                head_channels=settings.head_channels,
                dropout=settings.dropout,
            )
        self.upsample = UNetUpsample(channels=out_channels) if upsample else None

    def forward(
        self,
        hidden: Float[Tensor, "batch in_channels height width"],
        embedding: Float[Tensor, "batch embedding_width"],
        condition: Condition,
    ) -> Float[Tensor, "batch out_channels out_height out_width"]:
        first_norm, first_attention = self.places[condition.scale]
        modulations: Sequence = (None, None, None)
        if condition.modulations:
            modulations = condition.modulations[first_norm : first_norm + 3]
        hidden = self.residual(hidden, embedding, modulations[:2])
        if self.transformer is not None and condition.scale in self.attending:
            contexts = condition.attention[first_attention : first_attention + len(self.transformer.layers)]
            hidden = self.transformer(hidden, modulations[2], contexts, condition.mask)
        return hidden if self.upsample is None else self.upsample(hidden)


class UNetTrunk(nn.Module):
    """Down, middle and up path with skips; the middle always attends (LDM's U-Net less its outer convolutions).

    Args:
        width: Channels at the input and output.
        multipliers: Channels of each level over `width`, from the finest.
        num_res_blocks: Residual blocks of a level going down; one more going up.
        attention_factors: For each scale that this U-Net serves, the downsampling factors of the levels that attend.
        settings: Of all blocks.
    """

    def __init__(
        self,
        *,
        width: int,
        multipliers: Sequence[int],
        num_res_blocks: int,
        attention_factors: Mapping[int, Sequence[int]],
        settings: BlockSettings,
    ) -> None:
        super().__init__()
        block = partial(TrunkBlock, settings=settings)
        levels = [(2**level, width * multiplier) for level, multiplier in enumerate(multipliers)]

        self.down = nn.ModuleList()
        channels, skips = width, [width]
        attending = {
            factor: [scale for scale, factors in attention_factors.items() if factor in factors] for factor, _ in levels
        }
        for factor, level_channels in levels:
            for _ in range(num_res_blocks):
                self.down.append(
                    block(
                        in_channels=channels,
                        out_channels=level_channels,
                        factor=factor,
                        attending=attending[factor],
                        upsample=False,
                    )
                )
                channels = level_channels
                skips.append(channels)
            if factor != levels[-1][0]:
                self.down.append(UNetDownsample(channels=channels))
                skips.append(channels)

        middle = partial(block, in_channels=channels, out_channels=channels, factor=levels[-1][0], upsample=False)
        self.middle = nn.ModuleList([middle(attending=list(attention_factors)), middle(attending=[])])

        self.up = nn.ModuleList()
        for factor, level_channels in reversed(levels):
            for index in range(num_res_blocks + 1):
                self.up.append(
                    block(
                        in_channels=channels + skips.pop(),
                        out_channels=level_channels,
                        factor=factor,
                        attending=attending[factor],
                        upsample=factor > 1 and index == num_res_blocks,
                    )
                )
                channels = level_channels

        for part in self._blocks():
            part.places = {}
        for scale in attention_factors:
            num_norms = num_attentions = 0
            for part in self._blocks():
                part.places[scale] = num_norms, num_attentions
                attends = scale in part.attending
                num_norms += 3 if attends else 2
                num_attentions += len(part.transformer.layers) if attends else 0  # type: ignore[union-attr]

    def _blocks(self) -> list[TrunkBlock]:
        return [part for part in self.modules() if isinstance(part, TrunkBlock)]

    def norms(self, scale: int) -> list[GatedNorm]:
        """Return the gated norms that `scale` goes through, in the order of a condition's modulations."""
        found = []
        for block in self._blocks():
            found += [block.residual.norm_in, block.residual.norm_out]
            if scale in block.attending:
                found.append(block.transformer.norm)  # type: ignore[union-attr]
        return found  # type: ignore[return-value]

    def keys_values(
        self, tokens: Float[Tensor, "batch tokens width"], *, scale: int
    ) -> tuple[tuple[Tensor, Tensor], ...]:
        """Return what each cross-attention of `scale` makes of a context, in a condition's order."""
        transformers = [block.transformer for block in self._blocks() if scale in block.attending]
        layers = [layer for transformer in transformers for layer in transformer.layers]  # type: ignore[union-attr]
        return tuple(layer.cross_attention.keys_values(tokens) for layer in layers)  # type: ignore[union-attr,operator]

    def forward(
        self,
        hidden: Float[Tensor, "batch channels height width"],
        embedding: Float[Tensor, "batch embedding_width"],
        condition: Condition,
    ) -> Float[Tensor, "batch channels height width"]:
        skips = [hidden]
        for block in self.down:
            hidden = block(hidden, embedding, condition) if isinstance(block, TrunkBlock) else block(hidden)
            skips.append(hidden)
        for block in self.middle:
            hidden = block(hidden, embedding, condition)
        for block in self.up:
            hidden = block(torch.cat([hidden, skips.pop()], dim=1), embedding, condition)
        return hidden
