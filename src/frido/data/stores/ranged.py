"""A packed dataset at a URL, read by ranges of bytes."""

import errno
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from frido.contracts.errors import FridoError
from frido.data.index import index_name
from frido.data.stores.base import Part, Store
from frido.data.stores.pinned import Pinned
from frido.data.stores.remote import Remote

CHECKS = 16
"""Shards that are looked for at the same time."""

NO_RANGES = "the server sends whole files where ranges of bytes are asked for"


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
            raise self.remote.give_up(part.name, f"{NO_RANGES}: set data.cache_gb", errno.ENOTSUP)
        return content

    def again(self, part: Part) -> bool:
        return True

    def check(self, parts: Sequence[Part]) -> None:
        self._check_ranges(parts[0])
        at_once(self.check_whole, parts)

    def check_whole(self, part: Part) -> None:
        """Look for a shard and its index.

        Raises:
            FridoError: See `check`.
        """
        try:
            size = self.remote.size(part.name)
        except OSError as error:
            raise self._error(part, got=error.strerror or error) from None
        if size not in (part.bytes, None):
            raise self._error(part, got=f"{size} bytes")
        self.check_index(part)

    def check_index(self, part: Part) -> None:
        """Look for the index of a shard, which is asked for only once.

        Raises:
            FridoError: It cannot be had.
        """
        try:
            self.small(index_name(part.name))
        except OSError as error:
            raise self._error(part, got=error.strerror or error) from None

    def _check_ranges(self, part: Part) -> None:
        """Ask for one byte: a server that sends the whole shard would send it again for every run of samples."""
        try:
            self.read(part, 0, 1)
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise self._error(part, got=error.strerror or error) from None
            raise FridoError(
                self.remote.url, got=NO_RANGES, wanted="ranges, to read without a cache", do="data.cache_gb=50"
            ) from None

    def _error(self, part: Part, *, got: object) -> FridoError:
        return FridoError(
            f"shard {self.path(part.name)}, or its index",
            got=got,
            wanted=f"{part.bytes} bytes, as packed",
            do="copy the dataset to the server again, or wait until it can be reached",
        )


def at_once(check: Callable[[Part], None], parts: Sequence[Part]) -> None:
    """Call `check` with every shard, some at the same time; raise the first error in the order of the shards."""
    with ThreadPoolExecutor(CHECKS, thread_name_prefix="check") as pool:
        for _ in pool.map(check, parts):  # an error cancels those that have not begun
            pass
