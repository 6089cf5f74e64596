"""A light encoder for small machines: pixels to channels at once, no work at full resolution."""

from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.encoders.base import Encoder
from frido.nn.identity_blocks import identity_blocks
from frido.nn.resample import Downsample


class PixelUnshuffleEncoder(Encoder):
    """Squares of `factor` x `factor` pixels become one position; every coarser scale halves the grid once more.

    No norm stands between the last block and a map: normed per image, a plain background would have no brightness.

    Args:
        channels: Of every map; added by the autoencoder.
        num_scales: Number of maps; added by the autoencoder.
        width: Channels of all residual blocks.
        factor: Of the finest scale.
        num_blocks: Residual blocks per scale.
    """

    def __init__(self, *, channels: int, num_scales: int, width: int, factor: int, num_blocks: int) -> None:
        super().__init__()
        self.factors = tuple(factor * 2**step for step in reversed(range(num_scales)))
        self.unshuffle = nn.PixelUnshuffle(factor)
        self.conv_in = nn.Conv2d(3 * factor**2, width, 3, padding=1)
        self.levels = nn.ModuleList(identity_blocks(width=width, num_blocks=num_blocks) for _ in range(num_scales))
        self.downsamples = nn.ModuleList(Downsample(channels=width) for _ in range(num_scales - 1))
        self.heads = nn.ModuleList(nn.Conv2d(width, channels, 3, padding=1) for _ in range(num_scales))

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[Float[Tensor, "batch channels _ _"], ...]:
        features = self.conv_in(self.unshuffle(images.contiguous()))
        trunk = []
        for index, level in enumerate(self.levels):
            features = level(features if index == 0 else self.downsamples[index - 1](features))
            trunk.append(features)
        return tuple(head(features) for head, features in zip(self.heads, reversed(trunk), strict=True))
