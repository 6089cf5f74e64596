"""The decoder of VQGAN (Esser et al., 2021), which Frido also uses to fuse scales."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.decoders.base import Decoder
from frido.autoencoders.levels import widths_for
from frido.nn.conv_attention import ConvAttention
from frido.nn.conv_level import Level
from frido.nn.conv_resblock import ConvResBlock
from frido.nn.layout import fast_layout
from frido.nn.norms import group_norm
from frido.nn.resample import Upsample


class ConvDecoder(Decoder):
    """Block, attention and block at the lowest resolution, then levels of residual blocks, each twice as fine.

    Args:
        in_channels: Of the latent map; added by the autoencoder.
        out_channels: 3 for images; added by the autoencoder.
        factor: Between the two grids, a power of two; added by the autoencoder.
        width: Channels of the finest level, before its multiplier.
        multipliers: Width of each level in units of `width`, finest first; the last one repeats.
        num_blocks: Residual blocks per level.
        attention_factors: Levels with attention, by their distance from the output (8 = 8 times smaller).
        middle_attention: Whether the lowest resolution attends before its level; in LDM's `noattn` models it does not.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        factor: int,
        width: int,
        multipliers: list[int],
        num_blocks: int,
        attention_factors: list[int],
        middle_attention: bool,
    ) -> None:
        super().__init__()
        widths = widths_for(factor, width=width, multipliers=multipliers)[::-1]
        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.block_in = ConvResBlock(in_channels=widths[0], out_channels=widths[0])
        self.attention = ConvAttention(channels=widths[0]) if middle_attention else nn.Identity()
        self.block_out = ConvResBlock(in_channels=widths[0], out_channels=widths[0])
        self.levels = nn.ModuleList(
            Level(
                in_channels=before,
                out_channels=after,
                num_blocks=num_blocks,
                attention=factor // 2**index in attention_factors,
            )
            for index, (before, after) in enumerate(zip([widths[0], *widths[:-1]], widths, strict=True))
        )
        self.upsamples = nn.ModuleList(Upsample(channels=channels) for channels in widths[:-1])
        self.norm = group_norm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(
        self, latents: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels to_height to_width"]:
        features = self.block_out(self.attention(self.block_in(self.conv_in(fast_layout(latents)))))
        for index, level in enumerate(self.levels):
            features = level(features if index == 0 else self.upsamples[index - 1](features))
        return self.conv_out(F.silu(self.norm(features)))

    @property
    def last_layer(self) -> nn.Parameter:
        return self.conv_out.weight  # type: ignore[return-value]
