"""A folder of images, sorted into a folder for each class, as ImageNet is published."""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError
from frido.contracts.geometry import WHOLE
from frido.contracts.scene import Object, Scene, Vocabulary
from frido.data.filters.base import Filter
from frido.data.filters.described import described
from frido.data.sources.annotated import Annotated

FOLDERS = {"train": ("train",), "val": ("val", "validation"), "test": ("test",)}
ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jp2")
"""Of images; other files are passed over."""


Handle = tuple[str, str, str]
"""Folder of the split below the root ("" for the root), folder of the class ("" for none), name of the file."""


class ImageFolder(Annotated):
    """Images whose class is the name of their folder: one object that fills the image.

    The images lie in `train/CLASS/`, `val/CLASS/` (or `validation/`) and `test/CLASS/`; or, without these, in
    `CLASS/`, and are training images but for a share that is held out. Images beside the folders of classes have no
    class and no object. All usual kinds of images will do, of several pictures in a file the first; hidden files and
    folders are passed over. Categories are in the alphabetical order of the folders, which is ImageNet's numbering.

    Args:
        root: Folder of all.
        names: What the folders' names mean: a text file with a folder and its class a line, separated by blanks
            (ImageNet's `LOC_synset_mapping.txt`); `None` takes the names of the folders. A class that two folders
            have is followed by the name of the folder ("crane (n02012849)").
        val_share: Share of the images held out for validation where there are no folders of splits, in [0, 1).
        seed: Of the draw of these images, which depends on their names alone.
        filters: By name, in the order in which they are applied.

    Raises:
        FridoError: There are no images, two of one name, or a class without a meaning in `names`.
    """

    licence = "that of the images, which the folder does not say"
    origin = "a folder of images"

    def __init__(
        self, *, root: str, names: str | None, val_share: float, seed: int, filters: Mapping[str, Filter]
    ) -> None:
        super().__init__(root=root, filters=filters)
        self._held_out = {"val_share": val_share, "seed": seed}
        handles = self._sorted() or self._drawn(val_share, seed)
        if not any(handles.values()):
            raise FridoError(
                root,
                got="no images",
                wanted="train/CLASS/*.jpg (or .png, .tif, ...) and val/CLASS/*.jpg, or CLASS/*.jpg",
                do="check source.root",
            )
        _check_unique(handles)
        folders = sorted({folder for found in handles.values() for _, folder, _ in found if folder})
        self._classes = dict(zip(folders, _meanings(folders, names), strict=True))
        self._select(handles, Vocabulary(tuple(self._classes.values()), (), ()))

    def settings(self) -> dict[str, Any]:
        counts = {split: self.count(split) for split in FOLDERS}
        return {"name": "image_folder", **self._held_out, **counts, "filters": described(self._filters)}

    def _path(self, split: str, handle: Handle) -> Path:
        return self.root.joinpath(*handle)

    def _annotation(self, split: str, handle: Handle) -> Scene:
        folder = handle[1]
        return Scene(_key(split, handle), (Object(self._classes[folder], WHOLE),) if folder else ())

    def _sorted(self) -> dict[str, list[Handle]]:
        there = {split: [n for n in names if (self.root / n).is_dir()] for split, names in FOLDERS.items()}
        return {split: list(_images(self.root, names[0])) for split, names in there.items() if names}

    def _drawn(self, val_share: float, seed: int) -> dict[str, list[Handle]]:
        handles: dict[str, list[Handle]] = {"train": [], "val": []}
        for handle in _images(self.root, ""):
            draw = zlib.crc32(f"{seed}/{handle[1]}/{handle[2]}".encode()) / 2**32
            handles["val" if draw < val_share else "train"].append(handle)
        return handles


def _images(root: Path, place: str) -> Iterator[Handle]:
    """Yield the images in a folder and in those directly below it, in alphabetical order."""
    try:
        entries = sorted((root / place).iterdir())
    except OSError as error:
        raise FridoError(str(root / place), got=error.strerror, wanted="a folder", do="check source.root") from None
    for entry in (entry for entry in entries if not _hidden(entry.name)):
        if entry.is_dir():
            names = sorted(path.name for path in entry.iterdir())
            yield from ((place, entry.name, name) for name in names if _is_image(name))
        elif _is_image(entry.name):
            yield place, "", entry.name


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS) and not _hidden(name)


def _hidden(name: str) -> bool:
    """Return whether a file is one that systems add by themselves (`._a.jpg` beside `a.jpg`)."""
    return name.startswith(".")


def _key(split: str, handle: Handle) -> str:
    """Return a scene's id: split, class and file, of which WebDataset's keys allow no dots and slashes."""
    _, folder, name = handle
    return re.sub(r"[^\w-]", "_", "-".join(part for part in (split, folder, Path(name).stem) if part))


def _check_unique(handles: Mapping[str, list[Handle]]) -> None:
    for split, found in handles.items():
        seen: dict[str, Handle] = {}
        for handle in found:
            other = seen.setdefault(_key(split, handle), handle)
            if other is not handle:
                raise FridoError(
                    "/".join(part for part in handle if part),
                    got=f"the same name as {'/'.join(part for part in other if part)}",
                    wanted="names that differ by more than ending and punctuation",
                    do="rename one of the two",
                )


def _meanings(folders: list[str], names: str | None) -> list[str]:
    """Return what the folders' names mean, each once."""
    if names is None:
        return folders
    try:
        lines = Path(names).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise FridoError(names, got=error.strerror, wanted="a list of classes", do="check source.names") from None
    known = dict(line.split(maxsplit=1) for line in lines if len(line.split(maxsplit=1)) == 2)
    missing = [folder for folder in folders if folder not in known]
    if missing:
        raise FridoError(names, got=f"no line for {missing[0]}", wanted="a class for every folder", do="add a line")
    often = Counter(known[folder].strip() for folder in folders)
    meanings = ((folder, known[folder].strip()) for folder in folders)
    return [word if often[word] == 1 else f"{word} ({folder})" for folder, word in meanings]
