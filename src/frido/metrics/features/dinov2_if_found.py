"""The DINOv2 features where their weights are at hand, and the reason why there are none elsewhere."""

from frido.contracts.errors import FridoError
from frido.metrics.features.dinov2 import DINOv2


class DINOv2IfFound(DINOv2):
    """`DINOv2`, without which an evaluation goes on: its numbers say what is missing.

    Args:
        architecture: See `DINOv2`.
        weights: See `DINOv2`.

    Raises:
        FridoError: `weights` is given and is not that file.
    """

    sha256 = ""
    dimension = 0

    def __init__(self, *, architecture: str, weights: str | None) -> None:
        try:
            super().__init__(architecture=architecture, weights=weights)
        except FridoError as error:
            if weights is not None:
                raise
            self.missing = f"no {error.what} here; docs/metrics.md says how to have them"
