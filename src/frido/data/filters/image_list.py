"""Published lists of images: challenge splits, evaluation sets."""

from collections.abc import Mapping
from pathlib import Path

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.filters.base import Filter


class ImageList(Filter):
    """Keeps the images that a file names: one id a line, with or without zeros in front.

    Args:
        files: By split; `null`, or no entry, keeps every image of the split.

    Raises:
        FridoError: A file cannot be read or names no image.
    """

    def __init__(self, *, files: Mapping[str, str | None]) -> None:
        self.files = {split: Path(name).name for split, name in files.items() if name}
        self._ids = {split: _read(Path(name)) for split, name in files.items() if name}

    def __call__(self, scene: Scene, split: str) -> Scene | None:
        return scene if split not in self._ids or _bare(scene.id) in self._ids[split] else None


def _read(path: Path) -> frozenset[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise FridoError(str(path), got=error.strerror, wanted="a list of image ids", do="give its path") from None
    ids = frozenset(_bare(line.strip()) for line in lines if line.strip())
    if not ids:
        raise FridoError(str(path), got="no ids", wanted="one image id a line", do="give another list")
    return ids


def _bare(image: str) -> str:
    return image.lstrip("0") or "0"
