"""A packed dataset at a URL, read by ranges of bytes."""

import errno

from frido.contracts.errors import FridoError
from frido.data.index import index_name
from frido.data.stores.base import Part, Store
from frido.data.stores.pinned import Pinned
from frido.data.stores.remote import Remote


class RangeStore(Store):
    """One request for each read; of shards nothing is kept.

    Args:
        remote: The dataset.
        pinned: Its small files.
    """

    def __init__(self, remote: Remote, pinned: Pinned) -> None:
        self.remote, self.pinned = remote, pinned

    def path(self, name: str) -> str:
        return self.remote.where(name)

    def small(self, name: str) -> bytes:
        return self.pinned.read(name)

    def read(self, part: Part, offset: int, length: int) -> bytes:
        end = min(offset + length, part.bytes)
        content = self.remote.get(part.name, offset, end)
        if len(content) > end - offset:
            why = "the server sends whole files where ranges of bytes are asked for: set data.cache_gb"
            raise self.remote.give_up(part.name, why, errno.ENOTSUP)
        return content

    def again(self, part: Part) -> bool:
        return True

    def check(self, part: Part) -> None:
        try:
            size = self.remote.size(part.name)
            self.small(index_name(part.name))
        except OSError as error:
            raise self._error(part, got=error.strerror or error) from None
        if size not in (part.bytes, None):
            raise self._error(part, got=f"{size} bytes")

    def _error(self, part: Part, *, got: object) -> FridoError:
        return FridoError(
            f"shard {self.path(part.name)}, or its index",
            got=got,
            wanted=f"{part.bytes} bytes, as packed",
            do="copy the dataset to the server again, or wait until it can be reached",
        )
