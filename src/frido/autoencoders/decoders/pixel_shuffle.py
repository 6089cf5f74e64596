"""A light decoder for small machines: all work on the latent grid, channels to pixels at the end."""

from jaxtyping import Float
from torch import Tensor, nn

from frido.autoencoders.decoders.base import Decoder
from frido.nn.identity_blocks import identity_blocks


class PixelShuffleDecoder(Decoder):
    """Residual blocks on the latent grid, then every position becomes `factor` x `factor` pixels.

    No norm stands before the last layer: normed per image, a plain background would have no brightness.

    Args:
        in_channels: Of the latent map; added by the autoencoder.
        out_channels: 3 for images; added by the autoencoder.
        factor: Of the finest scale; 1 to fuse scales; added by the autoencoder.
        width: Channels of the residual blocks.
        num_blocks: Residual blocks.
    """

    def __init__(self, *, in_channels: int, out_channels: int, factor: int, width: int, num_blocks: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(in_channels, width, 3, padding=1)
        self.blocks = identity_blocks(width=width, num_blocks=num_blocks)
        self.conv_out = nn.Conv2d(width, out_channels * factor**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(factor)

    def forward(
        self, latents: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels to_height to_width"]:
        return self.shuffle(self.conv_out(self.blocks(self.conv_in(latents))))

    @property
    def last_layer(self) -> nn.Parameter:
        return self.conv_out.weight  # type: ignore[return-value]
