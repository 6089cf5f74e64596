"""Shards as tars, and where each sample lies in them: a JSON file beside every tar. No torch."""

import hashlib
import io
import json
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frido.contracts.digest import sha256
from frido.contracts.errors import FridoError

SEGMENTATION = "seg.png"
"""Extension of a sample's segmentation; WebDataset cuts keys at the first dot."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a tar: its extension, the place of its first byte, its length and its CRC-32."""

    extension: str
    offset: int
    length: int
    crc: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The files of one sample, which share a key."""

    key: str
    image: Member
    scene: Member
    segmentation: Member | None = None


def index_path(shard: Path) -> Path:
    return shard.with_suffix(".index.json")


class ShardWriter:
    """Writes WebDataset's tar format and notes where everything goes.

    The bytes are those of `webdataset.TarWriter(file, user="frido", group="frido", mtime=0)`, a test says so;
    that class is not used because importing webdataset imports torch, into every packing process.
    """

    def __init__(self, shard: Path) -> None:
        self.samples: list[Sample] = []
        self._tar = tarfile.open(shard, "w:")  # noqa: SIM115

    def add(self, key: str, *, scene: bytes, image: bytes, extension: str, segmentation: bytes = b"") -> None:
        """Write the files of a sample, in alphabetical order of their extensions, as WebDataset does."""
        assert "." not in key and "/" not in key, f"WebDataset would cut the key {key}"
        files = {"json": scene, extension: image} | ({SEGMENTATION: segmentation} if segmentation else {})
        found = {name: self._add(key, name, files[name]) for name in sorted(files)}
        self.samples.append(Sample(key, found[extension], found["json"], found.get(SEGMENTATION)))

    def close(self) -> None:
        self._tar.close()

    def _add(self, key: str, extension: str, content: bytes) -> Member:
        info = tarfile.TarInfo(f"{key}.{extension}")
        info.size, info.mtime, info.mode = len(content), 0, 0o444
        info.uname = info.gname = "frido"
        self._tar.addfile(info, io.BytesIO(content))
        blocks = -(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        return Member(extension, self._tar.offset - blocks, len(content), zlib.crc32(content))


def to_bytes(shard: Path, samples: list[Sample]) -> bytes:
    """Return the content of the index file of `shard`; rows of samples without a segmentation are shorter."""
    rows = [[sample.key, *(value for member in _members(sample) for value in _row(member))] for sample in samples]
    kinds = ("image", "scene", "segmentation")[: max(len(_members(sample)) for sample in samples)]
    columns = ["key", *(f"{kind}_{name}" for kind in kinds for name in Member.__slots__)]
    lines = ",\n".join(json.dumps(row) for row in rows)
    head = json.dumps({"shard": shard.name, "bytes": shard.stat().st_size, "sha256": sha256(shard), "columns": columns})
    return f'{head[:-1]}, "samples": [\n{lines}\n]}}\n'.encode()


def _members(sample: Sample) -> list[Member]:
    return [member for member in (sample.image, sample.scene, sample.segmentation) if member]


def _row(member: Member) -> list[Any]:
    return [member.extension, member.offset, member.length, member.crc]


def load(shard: Path, *, digest: str) -> list[Sample]:
    """Return the samples of `shard` from the index beside it.

    Raises:
        FridoError: The index is missing or is not the one with this SHA-256.
    """
    path = index_path(shard)
    again = "pack the dataset again, or copy the file again"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FridoError(
            f"shard {shard.name}: its index {path}", got=error.strerror, wanted="a readable file", do=again
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise FridoError(
            f"shard {shard.name}: its index {path}", got=f"SHA-256 {found[:12]}", wanted=digest[:12], do=again
        )
    rows = json.loads(content)["samples"]
    return [Sample(row[0], *(Member(*row[first : first + 4]) for first in range(1, len(row), 4))) for row in rows]
