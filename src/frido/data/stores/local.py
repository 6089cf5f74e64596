"""A packed dataset in a folder."""

import os
from collections.abc import Sequence
from pathlib import Path

from frido.contracts.errors import FridoError
from frido.data.index import AGAIN, index_path
from frido.data.stores.base import Part, Store


class LocalStore(Store):
    """Files are opened for each read and left to the page cache: any number of shards, no open descriptors.

    Args:
        root: Folder with `dataset.json`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> str:
        return str(self.root / name)

    def small(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def read(self, part: Part, offset: int, length: int) -> bytes:
        descriptor = os.open(self.root / part.name, os.O_RDONLY)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def again(self, part: Part) -> bool:
        return False

    def check(self, parts: Sequence[Part]) -> None:
        for part in parts:
            self._check(part)

    def _check(self, part: Part) -> None:
        path = self.root / part.name
        found = path.stat().st_size if path.is_file() else None
        if found != part.bytes:
            raise FridoError(
                f"shard {path}",
                got="no such file" if found is None else f"{found} bytes",
                wanted=f"{part.bytes} bytes, as packed",
                do=AGAIN,
            )
        if not index_path(path).is_file():
            raise FridoError(f"shard {path}: its index", got="no such file", wanted=index_path(path).name, do=AGAIN)
