"""A packed dataset, read by row."""

import hashlib
import json
import os
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene, Vocabulary
from frido.data import index

SPEC = "dataset.json"
TOKENIZER = "tokenizer.json"
FORMAT = 1
AGAIN = "pack the dataset again (python -m frido.pack), or copy the file again"


def read_spec(root: Path) -> dict[str, Any]:
    """Return `dataset.json`.

    Raises:
        FridoError: There is none, or it is not one of ours.
    """
    path = Path(root) / SPEC
    try:
        spec = json.loads(path.read_text())
        if spec["format"] != FORMAT:
            raise ValueError(f"format {spec['format']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        got = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise FridoError(str(path), got=got, wanted=f"a packed dataset of format {FORMAT}", do=AGAIN) from None
    return spec


def _tokenizer(root: Path, spec: dict[str, Any]) -> str:
    """Return the content of `tokenizer.json`; empty for a dataset without captions.

    Raises:
        FridoError: It is missing, or not the one that was packed.
    """
    digest = spec.get("tokenizer")
    if digest is None:
        return ""
    path = root / TOKENIZER
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FridoError(str(path), got=error.strerror, wanted="a readable file", do=AGAIN) from None
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise FridoError(str(path), got=f"SHA-256 {found[:12]}", wanted=f"{digest[:12]}, as packed", do=AGAIN)
    return content.decode()


class Shards:
    """One split of a packed dataset. Rows are numbered through all shards; any can be read at any time.

    Args:
        root: Folder with `dataset.json`.
        split: "train", "val" or "test".

    Raises:
        FridoError: No dataset there, no such split, a shard is missing or has another size than when packed, or the
            tokenizer is another one.
    """

    def __init__(self, root: Path, split: str) -> None:
        self.root, self.split = Path(root), split
        self.spec = read_spec(self.root)
        if split not in self.spec["splits"]:
            held = {name: part["scenes"] for name, part in self.spec["splits"].items()}
            raise FridoError(
                f"split {split} of {self.root}",
                got=f"only {held}",
                wanted="a split with scenes",
                do="pack a source that has one, or evaluate on another (frido.data.evaluation)",
            )
        self.vocabulary = Vocabulary.from_json(self.spec["vocabulary"], _tokenizer(self.root, self.spec))
        self.run: int = self.spec["order"]["run"]
        self.block: int = self.spec["order"]["block"]
        self._parts: list[dict[str, Any]] = self.spec["splits"][split]["shards"]
        self.sizes: tuple[int, ...] = tuple(part["scenes"] for part in self._parts)
        self._ends = np.cumsum(self.sizes)
        self._indexes: dict[int, list[index.Sample]] = {}
        self._files: dict[int, int] = {}
        self._opening = threading.Lock()
        for part in self._parts:
            self._check_size(part)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def scene(self, row: int) -> Scene:
        """Return the scene of a row with its encoded image, and its segmentation where it has one.

        Raises:
            FridoError: The shard is cut short or changed; shard and key are named.
        """
        shard, sample = self._find(row)
        image = self._read(shard, sample, sample.image)
        segmentation = self._read(shard, sample, sample.segmentation) if sample.segmentation else b""
        return Scene.from_json(json.loads(self._read(shard, sample, sample.scene)), image, segmentation)

    def where(self, row: int) -> str:
        """Return the row's shard and key, for people."""
        shard, sample = self._find(row)
        return self._name(shard, sample)

    def close(self) -> None:
        with self._opening:
            for descriptor in self._files.values():
                os.close(descriptor)
            self._files.clear()

    def _find(self, row: int) -> tuple[int, index.Sample]:
        if not 0 <= row < len(self):
            raise IndexError(row)
        shard = int(np.searchsorted(self._ends, row, side="right"))
        samples = self._indexes.get(shard)
        if samples is None:
            part = self._parts[shard]
            samples = self._indexes[shard] = index.load(self.root / part["name"], digest=part["index_sha256"])
        return shard, samples[row - int(self._ends[shard]) + self.sizes[shard]]

    def _name(self, shard: int, sample: index.Sample) -> str:
        return f"shard {self.root / self._parts[shard]['name']}, key {sample.key}"

    def _read(self, shard: int, sample: index.Sample, member: index.Member) -> bytes:
        try:
            content = os.pread(self._open(shard), member.length, member.offset)
        except OSError as error:
            raise FridoError(
                self._name(shard, sample), got=error.strerror, wanted="a readable file", do=AGAIN
            ) from None
        if len(content) != member.length or zlib.crc32(content) != member.crc:
            short = len(content) < member.length
            raise FridoError(
                f"{self._name(shard, sample)}.{member.extension}",
                got=f"the file ends after {len(content)} of {member.length} bytes" if short else "changed bytes",
                wanted=f"{member.length} bytes with CRC-32 {member.crc:08x}, as packed",
                do=AGAIN,
            )
        return content

    def _open(self, shard: int) -> int:
        descriptor = self._files.get(shard)
        if descriptor is None:
            with self._opening:
                if shard not in self._files:
                    self._files[shard] = os.open(self.root / self._parts[shard]["name"], os.O_RDONLY)
                descriptor = self._files[shard]
        return descriptor

    def _check_size(self, part: dict[str, Any]) -> None:
        path = self.root / part["name"]
        found = path.stat().st_size if path.is_file() else None
        if found != part["bytes"]:
            raise FridoError(
                f"shard {path}",
                got="no such file" if found is None else f"{found} bytes",
                wanted=f"{part['bytes']} bytes, as packed",
                do=AGAIN,
            )
        if not index.index_path(path).is_file():
            raise FridoError(
                f"shard {path}: its index", got="no such file", wanted=index.index_path(path).name, do=AGAIN
            )
