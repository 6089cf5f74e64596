"""Where numbers and pictures go while a run goes on."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

Cell = str | float | int | bool | None | Path
"""What a table holds; a path is a picture: a PNG, or a drawing in an SVG file."""


class Tracker(ABC):
    """A destination for scalars, pictures and tables; the step axis is always images seen."""

    @abstractmethod
    def log(self, values: Mapping[str, float], *, images: int) -> None:
        """Record scalars at `images` seen; keys are paths such as `"denoiser/loss"`."""

    @abstractmethod
    def picture(self, name: str, path: Path, *, images: int) -> None:
        """Record an image file that exists already."""

    @abstractmethod
    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, images: int) -> None:
        """Record rows of what files of the run hold already: no number is only here."""

    @abstractmethod
    def close(self) -> None:
        """Flush and let go; nothing is logged after it."""
