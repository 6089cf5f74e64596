"""The small files of a remote dataset: a copy of `dataset.json` that stays, and what it tells the hashes of."""

import contextlib
import errno
import hashlib
import json
import logging
import re
from pathlib import Path
from typing import Any

from frido.contracts import atomic
from frido.contracts.errors import FridoError
from frido.data.index import index_name
from frido.data.shards import SPEC, TOKENIZER
from frido.data.stores.remote import Remote

log = logging.getLogger(__name__)


def pin(remote: Remote, cache: Path) -> Path:
    """Return a folder with a copy of a dataset's `dataset.json`. What is read from now on is what this copy tells of.

    The folder is below `cache` and named by the copy: a dataset that changes at its URL gets another one, and who
    reads by the earlier copy is not disturbed. While the server cannot be reached, the latest copy counts.

    Raises:
        FridoError: There is none, or it names files that are not beside it.
    """
    try:
        content = remote.get(SPEC)
    except OSError as error:
        why, copies = (
            error.strerror or str(error),
            sorted(cache.glob(f"*/{SPEC}"), key=lambda path: path.stat().st_mtime),
        )
        if error.errno == errno.ENOENT or not copies:
            raise _no_dataset(remote, got=why) from None
        log.warning("%s: %s; going on with the copy %s", remote.where(SPEC), why, copies[-1])
        return copies[-1].parent
    try:
        for shard in _shards(json.loads(content)):
            if not re.fullmatch(r"[^/\\\0]+\.tar", shard["name"]) or not re.fullmatch("[0-9a-f]{64}", shard["sha256"]):
                raise ValueError(f"a shard {shard['name']!r} with SHA-256 {shard['sha256']!r}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_dataset(remote, got=f"{type(error).__name__}: {error}") from None
    return keep(content, cache)


def keep(content: bytes, cache: Path) -> Path:
    """Write a `dataset.json` into its folder below `cache`; return the folder."""
    folder = folder_of(hashlib.sha256(content).hexdigest(), cache)
    atomic.write_bytes(folder / SPEC, content)
    return folder


def folder_of(digest: str, cache: Path) -> Path:
    """Return the folder below `cache` of what has this SHA-256."""
    return cache / digest[:16]


class Pinned:
    """Fetches small files once and keeps them beside the copy of `dataset.json`.

    Args:
        remote: The dataset.
        folder: That `pin` returned.
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


def _no_dataset(remote: Remote, *, got: str) -> FridoError:
    do = "look whether data.shards is the right URL, and whether the server can be reached"
    return FridoError(remote.where(SPEC), got=got, wanted="a packed dataset", do=do)


def _shards(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [shard for split in spec["splits"].values() for shard in split["shards"]]
