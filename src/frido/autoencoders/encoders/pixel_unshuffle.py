"""A light encoder for small machines: pixels to channels at once, no work at full resolution."""

from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.encoders.base import Encoder
from frido.autoencoders.levels import factors_down_to
from frido.nn.identity_blocks import identity_blocks
from frido.nn.resample import Downsample


class PixelUnshuffleEncoder(Encoder):
    """Squares of pixels become one position of the finest grid; every coarser level halves the grid once more.

    No norm stands between the last block and a map: normed per image, a plain background would have no brightness.

    Args:
        channels: Of every map; added by the autoencoder.
        factors: Of the maps, coarsest first; added by the autoencoder.
        width: Channels of all residual blocks.
        num_blocks: Residual blocks per level.
    """

    def __init__(self, *, channels: int, factors: list[int], width: int, num_blocks: int) -> None:
        super().__init__()
        finest = factors[-1]
        levels = factors_down_to(factors[0], start=finest)
        self.levels_with_heads = [levels.index(factor) for factor in factors]
        self.unshuffle = nn.PixelUnshuffle(finest)
        self.conv_in = nn.Conv2d(3 * finest**2, width, 3, padding=1)
        self.levels = nn.ModuleList(identity_blocks(width=width, num_blocks=num_blocks) for _ in levels)
        self.downsamples = nn.ModuleList(Downsample(channels=width) for _ in levels[1:])
        self.heads = nn.ModuleList(nn.Conv2d(width, channels, 3, padding=1) for _ in factors)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[Float[Tensor, "batch channels _ _"], ...]:
        features = self.conv_in(self.unshuffle(images.contiguous()))
        trunk = []
        for index, level in enumerate(self.levels):
            features = level(features if index == 0 else self.downsamples[index - 1](features))
            trunk.append(features)
        return tuple(head(trunk[level]) for head, level in zip(self.heads, self.levels_with_heads, strict=True))
