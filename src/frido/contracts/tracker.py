"""Where numbers and pictures go while a run goes on."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path


class Tracker(ABC):
    """A destination for scalars and pictures; the step axis is always images seen."""

    @abstractmethod
    def log(self, values: Mapping[str, float], *, images: int) -> None:
        """Record scalars at `images` seen; keys are paths such as `"denoiser/loss"`."""

    @abstractmethod
    def picture(self, name: str, path: Path, *, images: int) -> None:
        """Record an image file that exists already."""

    @abstractmethod
    def close(self) -> None:
        """Flush and let go; nothing is logged after it."""
