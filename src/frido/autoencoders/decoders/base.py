"""Latent map in, image (or another map) out."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


class Decoder(nn.Module, ABC):
    """A map on a grid `factor` times larger than its input's. With factor 1 it can fuse scales inside an encoder.

    Built by partial: the autoencoder adds `in_channels`, `out_channels` and `factor`.
    """

    @abstractmethod
    def forward(
        self, latents: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels to_height to_width"]: ...

    @property
    @abstractmethod
    def last_layer(self) -> nn.Parameter:
        """The weight of the layer that produces the output."""
