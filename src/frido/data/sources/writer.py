"""Scenes -> a published dataset's own files, so that its reader is tested end to end without a download."""

import io
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from PIL import Image

from frido.contracts import atomic
from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.sources.base import Source


class LayoutWriter(ABC):
    """Writes every scene of a source in the layout of a published dataset, into a folder that appears whole."""

    mark: str
    """A file of the layout, below its folder: by it a former output is known, which alone may be overwritten."""

    @abstractmethod
    def _fill(self, source: Source, folder: Path) -> dict[str, int]:
        """Write the layout into an empty folder; return the number of images of each split."""

    def write(self, source: Source, out: Path, *, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
        """Write every scene of `source` below the folder `out` and return the number of images of each split.

        Raises:
            FridoError: `out` exists (unless it was written by this and `overwrite`), or cannot be written.
        """
        if out.exists() and not (overwrite and (out / self.mark).is_file()):
            raise FridoError(f"out={out}", got="something is there", wanted="a new folder", do="choose another")
        try:
            with atomic.new_folder(out) as folder:
                return {"images": self._fill(source, folder)}
        except OSError as error:
            raise FridoError(
                f"out={out}", got=error.strerror or error, wanted="a folder that can be written", do="choose another"
            ) from error


def save_jpeg(scene: Scene, path: Path, *, quality: int) -> None:
    """Write a scene's image as a JPEG file, its colours at full resolution.

    Args:
        scene: With an image.
        path: Of the file.
        quality: 1 to 95.
    """
    with Image.open(io.BytesIO(scene.image)) as opened:
        opened.save(path, "JPEG", quality=quality, subsampling=0)
