"""Nothing of the image."""

from collections.abc import Callable

from torch import Tensor

from frido.conditioning.views.base import Prepared, View
from frido.contracts.batch import Batch
from frido.contracts.pyramid import Pyramid
from frido.contracts.scene import Vocabulary


class NoView(View):
    """The denoiser sees annotations only.

    Args:
        vocabulary: Not used (run time).
        latent_channels: Not used (run time).
        factor: Not used (run time).
    """

    channels = 0

    def __init__(self, *, vocabulary: Vocabulary, latent_channels: int, factor: int) -> None:
        super().__init__()

    def check(self, batch: Batch) -> None:
        pass

    def prepare(self, batch: Batch, *, encode: Callable[[Tensor], Pyramid]) -> Prepared:
        return None

    def picture(self, batch: Batch) -> None:
        return None

    def forward(self, prepared: Prepared) -> None:
        return None
