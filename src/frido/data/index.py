"""Shards as tars, and where each sample lies in them: a JSON file beside every tar. No torch."""

import hashlib
import io
import json
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError

SEGMENTATION = "seg.png"
"""Extension of a sample's segmentation; WebDataset cuts keys at the first dot."""

AGAIN = "pack the dataset again (python -m frido.pack), or copy the file again"


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a tar: its extension, the place of its first byte, its length and its CRC-32."""

    extension: str
    offset: int
    length: int
    crc: int

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Sample:
    """The files of one sample, which share a key. A scene that is no file of the tar is here in its stead."""

    key: str
    image: Member
    scene: Member | dict[str, Any]
    segmentation: Member | None = None

    @property
    def members(self) -> list[Member]:
        return [member for member in (self.image, self.scene, self.segmentation) if isinstance(member, Member)]


def index_name(shard: str) -> str:
    """Return the name of the index beside a shard."""
    return f"{shard.removesuffix('.tar')}.index.json"


def index_path(shard: Path) -> Path:
    return shard.with_name(index_name(shard.name))


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


def to_bytes(shard: Path, samples: list[Sample], digest: str) -> bytes:
    """Return the content of the index file of `shard`, whose SHA-256 is `digest`.

    A row is the key and, for image, scene and segmentation, four values; a segmentation that is not there is left
    out, and a scene that is no file of the tar stands in one place instead of four.
    """
    rows = [[sample.key, *_row(sample.image), *_row(sample.scene), *_row(sample.segmentation)] for sample in samples]
    lines = ",\n".join(json.dumps(row) for row in rows)
    columns = ["key", *(f"{kind}_{name}" for kind in ("image", "scene", "segmentation") for name in Member.__slots__)]
    head = json.dumps({"shard": shard.name, "bytes": shard.stat().st_size, "sha256": digest, "columns": columns})
    return f'{head[:-1]}, "samples": [\n{lines}\n]}}\n'.encode()


def _row(part: Member | dict[str, Any] | None) -> list[Any]:
    if isinstance(part, Member):
        return [part.extension, part.offset, part.length, part.crc]
    return [] if part is None else [part]


def parse(content: bytes, *, where: str, digest: str) -> list[Sample]:
    """Return the samples of a shard from the content of its index.

    Raises:
        FridoError: It is not the index with this SHA-256.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise FridoError(where, got=f"SHA-256 {found[:12]}", wanted=digest[:12], do=AGAIN)
    return [_sample(row) for row in json.loads(content)["samples"]]


def _sample(row: list[Any]) -> Sample:
    key, image, rest = row[0], Member(*row[1:5]), row[5:]
    inline = isinstance(rest[0], dict)
    scene, rest = (rest[0], rest[1:]) if inline else (Member(*rest[:4]), rest[4:])
    return Sample(key, image, scene, Member(*rest) if rest else None)
