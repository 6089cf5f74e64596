"""One split of a packed dataset, read by row."""

import hashlib
import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.contracts.scene import Scene, Vocabulary
from frido.data import index
from frido.data.index import AGAIN, Member, Sample
from frido.data.order import Order
from frido.data.rows import Rows
from frido.data.stores.base import Part, Store
from frido.data.stores.local import LocalStore

SPEC = "dataset.json"
TOKENIZER = "tokenizer.json"
FORMAT = 2


def read_spec(root: Path) -> dict[str, Any]:
    """Return `dataset.json` of a folder.

    Raises:
        FridoError: There is none, or it is not one of ours.
    """
    return parse_spec(LocalStore(Path(root)))


def parse_spec(store: Store) -> dict[str, Any]:
    """Return `dataset.json`, wherever it lies.

    Raises:
        FridoError: There is none, or it is not one of ours.
    """
    try:
        spec = json.loads(store.small(SPEC))
        if spec["format"] != FORMAT:
            raise ValueError(f"format {spec['format']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        got = (error.strerror or error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        wanted = f"a packed dataset of format {FORMAT}"
        raise FridoError(store.path(SPEC), got=got, wanted=wanted, do=AGAIN) from None
    return spec


class Shards(Rows):
    """One split of a packed dataset. Rows are numbered through all shards; any can be read at any time.

    Memory does not grow with what was read: the indexes of two blocks of shards are kept.

    Args:
        store: Of the dataset's files.
        split: "train", "val" or "test".

    Raises:
        FridoError: No dataset there, no such split, or the tokenizer is another one.
    """

    def __init__(self, store: Store, split: str) -> None:
        self.store = store
        spec = parse_spec(store)
        if split not in spec["splits"]:
            held = {name: part["scenes"] for name, part in spec["splits"].items()}
            raise FridoError(
                f"split {split} of {store.path('')}",
                got=f"only {held}",
                wanted="a split with scenes",
                do="pack a source that has one, or evaluate on another (frido.data.evaluation)",
            )
        self.vocabulary = Vocabulary.from_json(spec["vocabulary"], _tokenizer(store, spec))
        self.run: int = spec["order"]["run"]
        self.block: int = spec["order"]["block"]
        shards = spec["splits"][split]["shards"]
        self._parts = [Part(shard["name"], shard["bytes"], shard["sha256"]) for shard in shards]
        self._digests: list[str] = [shard["index_sha256"] for shard in shards]
        self.sizes: tuple[int, ...] = tuple(shard["scenes"] for shard in shards)
        self._ends = np.cumsum(self.sizes)
        self._indexes: OrderedDict[int, list[Sample]] = OrderedDict()
        self._loading = threading.Lock()

    @classmethod
    def below(cls, root: Path, split: str) -> "Shards":
        """Return a split of the dataset in the folder `root`."""
        return cls(LocalStore(Path(root)), split)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def check(self) -> None:
        self.store.check(self._parts)

    def order(self, *, seed: int) -> Order:
        """Return the shuffled order, with the constants stored in `dataset.json`."""
        return Order(shard_sizes=self.sizes, run=self.run, block=self.block, seed=seed)

    def scenes(self, rows: Sequence[int]) -> list[Scene | Lost]:
        found: list[Scene | Lost] = []
        for shard, first, last in self._runs(rows):
            found += self._run(shard, first, last)
        return found

    def lost(self, row: int, error: FridoError) -> Lost:
        shard, place = self._place(row)
        return Lost(self._parts[shard].name, self._samples(shard)[place].key, _reason(error))

    def _place(self, row: int) -> tuple[int, int]:
        """Return the shard of a row and its place in it."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        shard = int(np.searchsorted(self._ends, row, side="right"))
        return shard, row - int(self._ends[shard]) + self.sizes[shard]

    def _runs(self, rows: Sequence[int]) -> Iterator[tuple[int, int, int]]:
        """Yield what of `rows` follows on each other in a shard: the shard, the first place and the last."""
        run: tuple[int, int, int] | None = None
        for row in rows:
            shard, place = self._place(row)
            if run and run[0] == shard and run[2] + 1 == place:
                run = (shard, run[1], place)
            else:
                if run:
                    yield run
                run = (shard, place, place)
        if run:
            yield run

    def _run(self, shard: int, first: int, last: int) -> list[Scene | Lost]:
        """Return consecutive scenes of a shard by one read of its file."""
        part = self._parts[shard]
        try:
            samples = self._samples(shard)[first : last + 1]
        except FridoError as error:
            return [Lost(part.name, f"number {place}", _reason(error)) for place in range(first, last + 1)]
        try:
            found = self._read(part, samples)
            if any(isinstance(one, Lost) for one in found) and self.store.again(part):
                found = self._read(part, samples)
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
            return [Lost(part.name, sample.key, why) for sample in samples]
        return found

    def _read(self, part: Part, samples: Sequence[Sample]) -> list[Scene | Lost]:
        start = min(member.offset for sample in samples for member in sample.members)
        end = max(member.end for sample in samples for member in sample.members)
        content = memoryview(self.store.read(part, start, end - start))
        return [self._scene(part, sample, content, start) for sample in samples]

    def _scene(self, part: Part, sample: Sample, content: memoryview, start: int) -> Scene | Lost:
        files: dict[Member, bytes] = {}
        for member in sample.members:
            held = content[member.offset - start : member.end - start]
            if len(held) != member.length or zlib.crc32(held) != member.crc:
                short = f"the file ends after {len(held)} of {member.length} bytes"
                why = short if len(held) < member.length else f"changed bytes, wanted CRC-32 {member.crc:08x}"
                return Lost(part.name, sample.key, f"{sample.key}.{member.extension}: {why}")
            files[member] = bytes(held)
        told = json.loads(files[sample.scene]) if isinstance(sample.scene, Member) else sample.scene
        return Scene.from_json(told, files[sample.image], files[sample.segmentation] if sample.segmentation else b"")

    def _samples(self, shard: int) -> list[Sample]:
        with self._loading:
            samples = self._indexes.get(shard)
            if samples is None:
                samples = self._indexes[shard] = self._load(shard)
                while len(self._indexes) > 2 * self.block:
                    self._indexes.popitem(last=False)
            self._indexes.move_to_end(shard)
            return samples

    def _load(self, shard: int) -> list[Sample]:
        name = self._parts[shard].name
        path = self.store.path(index.index_name(name))
        try:
            content = self.store.small(index.index_name(name))
        except OSError as error:
            got = error.strerror or error
            raise FridoError(f"shard {name}: its index {path}", got=got, wanted="a readable file", do=AGAIN) from None
        return index.parse(content, where=f"shard {name}: its index {path}", digest=self._digests[shard])


def _reason(error: FridoError) -> str:
    return f"{error.what}: {error.got}"


def _tokenizer(store: Store, spec: dict[str, Any]) -> str:
    """Return the content of `tokenizer.json`; empty for a dataset without captions.

    Raises:
        FridoError: It is missing, or not the one that was packed.
    """
    digest = spec.get("tokenizer")
    if digest is None:
        return ""
    path = store.path(TOKENIZER)
    try:
        content = store.small(TOKENIZER)
    except OSError as error:
        raise FridoError(path, got=error.strerror or error, wanted="a readable file", do=AGAIN) from None
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise FridoError(path, got=f"SHA-256 {found[:12]}", wanted=f"{digest[:12]}, as packed", do=AGAIN)
    return content.decode()
