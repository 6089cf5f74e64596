"""Which scales share weights."""

from abc import ABC, abstractmethod

from torch import nn

from frido.denoisers.unet_trunk import UNetTrunk


class Trunk(nn.Module, ABC):
    """The U-Nets of a pyramid. Built by a partial with run-time arguments `build` and `num_scales`.

    `build` takes the scales that one U-Net is to serve.
    """

    @abstractmethod
    def at(self, scale: int) -> UNetTrunk:
        """Return the U-Net of `scale`."""
