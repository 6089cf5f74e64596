"""Metrics of a picture and the one that it should be."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

from jaxtyping import Float, UInt8
from torch import Tensor

from frido.contracts.metric import Pictures
from frido.contracts.scene import Scene
from frido.metrics.per_picture import PerPicture
from frido.metrics.ranks import from_all

MEANS = (
    "how near each picture is to one certain picture: for reconstructions, super-resolution and inpainting, not for "
    "conditions that leave the picture open (classes, graphs, layouts, captions)"
)
"""Of all such numbers."""


class PairDistance(PerPicture):
    """Compares each generated image with the real one at its position; all have one size."""

    needs_pairs = True
    needs_scenes = False
    smallest: int
    """Side of an image that can be compared, pixels."""

    def __init__(self) -> None:
        super().__init__()
        self._sizes: set[tuple[int, int]] = set()

    @abstractmethod
    def compare(
        self, real: UInt8[Tensor, "batch 3 height width"], generated: UInt8[Tensor, "batch 3 height width"]
    ) -> dict[str, Float[Tensor, "batch"]]:
        """Return the numbers of some pairs by short name."""

    def update(self, *, real: Pictures, generated: Pictures, scenes: Sequence[Scene]) -> None:
        assert real.positions.equal(generated.positions), "real and generated images come in pairs"
        self._sizes |= {(side.images.shape[2], side.images.shape[3]) for side in (real, generated) if len(side.images)}
        alike = len(self._sizes) == 1 and min(min(self._sizes)) >= self.smallest
        self.take(real.positions, self.compare(real.images, generated.images) if alike else {})

    def refusals(self) -> Mapping[str, str]:
        sizes = sorted(set().union(*from_all(self._sizes)))
        told = ", ".join(f"{width} x {height}" for height, width in sizes[:3])
        if len(sizes) > 1:
            return dict.fromkeys(self.names, f"images of several sizes ({told} pixels): pixels have no partners")
        if min(sizes[0]) < self.smallest:
            return dict.fromkeys(self.names, f"images of {told} pixels; needed are {self.smallest} a side")
        return {}
