"""The Inception features where their weights are at hand, and the reason why there are none elsewhere."""

from frido.contracts.errors import FridoError
from frido.metrics.features.inception import Inception


class InceptionIfFound(Inception):
    """`Inception`, without which a run on photographs goes on: its numbers say what is missing.

    They can be had later: `stages=[evaluate]` of the finished run.

    Args:
        weights: See `Inception`.
        sha256: See `Inception`.

    Raises:
        FridoError: `weights` is given and is not that file.
    """

    sha256 = ""

    def __init__(self, *, weights: str | None, sha256: str) -> None:
        try:
            super().__init__(weights=weights, sha256=sha256)
        except FridoError as error:
            if weights is not None:
                raise
            self.missing = f"no {error.what} here; docs/datasets.md says how to have them"
