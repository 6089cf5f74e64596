"""LPIPS between generated images and real ones."""

from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor

from frido.metrics.lpips_network import LpipsNetwork
from frido.metrics.pair_distance import MEANS, PairDistance


class LpipsDistance(PairDistance):
    """Distance of deep features of each pair, and the mean; named by the network (`lpips/vgg@500`).

    Args:
        network: Of LPIPS.
    """

    smallest = 32  # less leaves nothing to the deepest layers

    def __init__(self, *, network: LpipsNetwork) -> None:
        super().__init__()
        self.network = network
        self.names = (f"lpips/{network.name}",)

    def compare(
        self, real: UInt8[Tensor, "batch 3 height width"], generated: UInt8[Tensor, "batch 3 height width"]
    ) -> dict[str, Float[Tensor, "batch"]]:
        return {self.names[0]: self.network.distances(real, generated)}

    def about(self) -> dict[str, Any]:
        return {
            "weights_sha256": self.network.sha256,
            "package": self.network.package,
            "resize": "none; images on [-1, 1]",
            "note": MEANS,
        }
