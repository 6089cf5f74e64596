"""The small files of a remote dataset: a copy of `dataset.json` that stays, and what it tells the hashes of."""

import contextlib
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from frido.contracts import atomic
from frido.contracts.errors import FridoError
from frido.data.index import index_name
from frido.data.shards import SPEC, TOKENIZER
from frido.data.stores.remote import Remote


def pin(remote: Remote, folder: Path) -> None:
    """Put a dataset's `dataset.json` into a folder. What is read from now on is what this copy tells of.

    Raises:
        FridoError: There is none, or it names files that are not beside it.
    """
    where = remote.where(SPEC)
    try:
        content = remote.get(SPEC)
        for shard in _shards(json.loads(content)):
            if not re.fullmatch(r"[^/\\\0]+\.tar", shard["name"]) or not re.fullmatch("[0-9a-f]{64}", shard["sha256"]):
                raise ValueError(f"a shard {shard['name']!r} with SHA-256 {shard['sha256']!r}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        got = (error.strerror or error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        do = "look whether data.shards is the right URL, and whether the server can be reached"
        raise FridoError(where, got=got, wanted="a packed dataset", do=do) from None
    atomic.write_bytes(folder / SPEC, content)


class Pinned:
    """Fetches small files once and keeps them beside the copy of `dataset.json`.

    Args:
        remote: The dataset.
        folder: That `pin` wrote into.
    """

    def __init__(self, remote: Remote, folder: Path) -> None:
        self.remote, self.folder = remote, folder
        spec = json.loads((folder / SPEC).read_bytes())
        self._digests = {index_name(shard["name"]): shard["index_sha256"] for shard in _shards(spec)}
        self._digests[TOKENIZER] = spec.get("tokenizer")

    def read(self, name: str) -> bytes:
        """Return a file; if it is not the one that `dataset.json` tells of, after it was fetched twice.

        Raises:
            OSError: It cannot be fetched; its `strerror` says why.
        """
        kept = self.folder / name
        if name == SPEC:
            return kept.read_bytes()
        with contextlib.suppress(OSError):
            content = kept.read_bytes()
            if self._right(name, content):
                return content
        content = self.remote.get(name)
        if not self._right(name, content):
            content = self.remote.get(name)
        if self._right(name, content):
            with contextlib.suppress(OSError):  # a full disk: it is fetched again another time
                atomic.write_bytes(kept, content)
        return content

    def _right(self, name: str, content: bytes) -> bool:
        return hashlib.sha256(content).hexdigest() == self._digests[name]


def _shards(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [shard for split in spec["splits"].values() for shard in split["shards"]]
