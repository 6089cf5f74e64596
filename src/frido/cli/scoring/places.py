"""Where images may lie that are to be scored: folders, tars, packed datasets, samples of a run. No torch."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.packing import foreign
from frido.data.shards import SPEC, Shards, read_spec

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
WANTED = (
    "a folder of images (png, jpg, webp, bmp), a .tar or a folder of them in WebDataset's form, "
    "a packed dataset with its split (DIR:test), or RUN_DIR/samples/SPLIT"
)
GENERATED, REAL = "generated", "real"


class Stored(NamedTuple):
    """An image as it lies there."""

    name: str
    """Without what says its format: pictures of one name on both sides are a pair."""
    content: bytes
    """The encoded file."""
    scene: Scene | None
    """What it shows, without the image, where that is known."""


class Place(ABC):
    """Images in a fixed order; each can be read any number of times."""

    kind: str
    """In words."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, row: int) -> Stored:
        """Return an image.

        Raises:
            FridoError: It is damaged.
            OSError: It is not there any more.
        """

    @abstractmethod
    def where(self, row: int) -> str:
        """Return what a person knows an image by."""


def place(path: str, *, side: str) -> Place:
    """Return the images that an argument names.

    Args:
        path: As it was typed.
        side: "real" or "generated": of a run's samples these are taken.

    Raises:
        FridoError: There is nothing of the kind.
    """
    asked, folder = f"{side}={path}", Path(path).expanduser()
    if not folder.exists():
        root, colon, split = path.rpartition(":")
        if colon and (Path(root).expanduser() / SPEC).is_file():
            return Packed(Path(root).expanduser(), split)
        raise FridoError(asked, got="nothing there", wanted=WANTED, do=f"check the path: {folder.absolute()}")
    if folder.is_file():
        if folder.suffix != ".tar":
            raise FridoError(asked, got=f"a file {folder.suffix or 'without suffix'}", wanted=WANTED, do=f"{side}=DIR")
        return Tars([folder])
    if (folder / SPEC).is_file():
        splits = list(read_spec(folder)["splits"])
        do = f"{side}={path}:{splits[-1]}"
        raise FridoError(asked, got=f"a packed dataset of {', '.join(splits)}", wanted="one of its splits", do=do)
    if (folder / "scenes.json").is_file() and (folder / GENERATED).is_dir():
        return Samples(folder, side)
    tars, images = sorted(folder.glob("*.tar")), _images(folder)
    if tars and images:
        got, do = f"{len(tars)} tars and {len(images)} images", f"{side}={tars[0]}, or move the images"
        raise FridoError(asked, got=got, wanted="a folder of one kind", do=do)
    if not tars and not images:
        raise FridoError(asked, got="a folder without images", wanted=WANTED, do=f"{side}=DIR")
    return Tars(tars) if tars else Folder(folder, images)


class Folder(Place):
    """Image files at any depth, by their paths below the folder; hidden ones are passed over."""

    kind = "folder of images"

    def __init__(self, root: Path, files: Sequence[Path]) -> None:
        self.root, self.files = root, files

    def __len__(self) -> int:
        return len(self.files)

    def read(self, row: int) -> Stored:
        return Stored(self.files[row].with_suffix("").as_posix(), (self.root / self.files[row]).read_bytes(), None)

    def where(self, row: int) -> str:
        return str(self.root / self.files[row])


class Tars(Place):
    """WebDataset tars, one after the other, each in its own order."""

    kind = "WebDataset tars"

    def __init__(self, tars: Sequence[Path]) -> None:
        self.samples = [(tar, key, files) for tar in tars for key, files in foreign.samples(tar)]
        if not self.samples:
            raise FridoError(str(tars[0]), got="tars without a sample", wanted="images", do="name other tars")

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, row: int) -> Stored:
        tar, key, files = self.samples[row]
        descriptor = os.open(tar, os.O_RDONLY)
        try:
            found = {name: os.pread(descriptor, file.length, file.offset) for name, file in files.items()}
        finally:
            os.close(descriptor)
        scene = foreign.scene_of(key, found)
        return Stored(key, scene.image, replace(scene, image=b"", segmentation=b""))

    def where(self, row: int) -> str:
        tar, key, _ = self.samples[row]
        return f"{tar}, sample {key}"


class Packed(Place):
    """A split of a dataset that `python -m frido.pack` wrote."""

    kind = "packed dataset"

    def __init__(self, root: Path, split: str) -> None:
        self.root, self.split = root, split
        self.rows = Shards.below(root, split)

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, row: int) -> Stored:
        scene = self.rows.scene(row)
        return Stored(scene.id, scene.image, replace(scene, image=b"", segmentation=b""))

    def where(self, row: int) -> str:
        return f"{self.root}, split {self.split}, row {row}"


class Samples(Place):
    """What a run drew, or the real images beside it, with the scenes that both show."""

    kind = "samples of a run"

    def __init__(self, root: Path, side: str) -> None:
        self.root, self.side = root, side
        self.scenes = [Scene.from_json(value) for value in json.loads((root / "scenes.json").read_text())]
        if not (root / side).is_dir():
            got, wanted = f"samples without {side} images", f"a folder with {side}/"
            raise FridoError(f"{side}={root}", got=got, wanted=wanted, do=f"{side}=DIR of images")

    def __len__(self) -> int:
        return len(self.scenes)

    def read(self, row: int) -> Stored:
        return Stored(f"{row:06d}", self._file(row).read_bytes(), self.scenes[row])

    def where(self, row: int) -> str:
        return str(self._file(row))

    def _file(self, row: int) -> Path:
        return self.root / self.side / f"{row:06d}.png"


def _images(root: Path) -> list[Path]:
    """Return the images below a folder by their paths in it, sorted; folders that are links are followed, once."""
    found: list[Path] = []
    been: set[str] = set()
    for folder, inner, files in os.walk(root, followlinks=True):
        inner[:] = [name for name in inner if not name.startswith(".")]
        if os.path.realpath(folder) in been:
            inner.clear()
            continue
        been.add(os.path.realpath(folder))
        names = (name for name in files if name.lower().endswith(ENDINGS) and not name.startswith("."))
        found += [(Path(folder) / name).relative_to(root) for name in names]
    return sorted(found, key=Path.as_posix)
