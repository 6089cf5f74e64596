"""A packed dataset at a URL, whose shards are fetched whole and kept for a while."""

import errno
import logging
import os
import time
from collections.abc import Iterator, Sequence

from frido.data.stores.base import Part, Store
from frido.data.stores.cache import NoRoomError, ShardCache
from frido.data.stores.ranged import RangeStore, at_once

log = logging.getLogger(__name__)


class CachedStore(Store):
    """Reads copies of shards, which all processes of a machine share. While none can be kept, reads by ranges.

    Args:
        ranged: The dataset.
        cache: Takes the copies.
    """

    PIECE = 2**24
    """Bytes of a shard that one request asks for; one that fails is repeated alone."""
    PAUSE = 60.0
    """Seconds until a cache without room is tried again."""

    def __init__(self, ranged: RangeStore, cache: ShardCache) -> None:
        self.ranged, self.cache = ranged, cache
        self._full_until = 0.0
        self._warned = False
        self._renewed: set[str] = set()

    def path(self, name: str) -> str:
        return self.ranged.path(name)

    def small(self, name: str) -> bytes:
        return self.ranged.small(name)

    def read(self, part: Part, offset: int, length: int) -> bytes:
        descriptor = self._open(part)
        if descriptor is None:
            return self.ranged.read(part, offset, length)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def again(self, part: Part) -> bool:
        if part.name not in self._renewed:  # a copy that went bad is fetched once more
            self._renewed.add(part.name)
            self.cache.drop(part)
        return True

    def check(self, parts: Sequence[Part]) -> None:
        at_once(self._check, parts)

    def _check(self, part: Part) -> None:
        """Look for a shard; of one that is kept only for the index, so that a full cache needs no server."""
        if self.cache.holds(part):
            self.ranged.check_index(part)
        else:
            self.ranged.check_whole(part)

    def _open(self, part: Part) -> int | None:
        """Return a descriptor of a copy, fetched if need be; `None` while none can be kept."""
        found = self.cache.open(part)
        if found is not None or time.monotonic() < self._full_until:
            return found
        remote = self.ranged.remote
        remote.recall(part.name)
        try:
            return self.cache.fetch(part, lambda: self._pieces(part))
        except NoRoomError as full:
            self._full_until = time.monotonic() + self.PAUSE
            if not self._warned:
                log.warning("%s: %s; reading without it, by single requests", self.cache.folder, full)
            self._warned = True
            return None
        except OSError as error:
            raise remote.give_up(part.name, error.strerror or str(error), error.errno or errno.EIO) from None

    def _pieces(self, part: Part) -> Iterator[bytes]:
        start = 0
        while start < part.bytes:
            end = min(start + self.PIECE, part.bytes)
            content = self.ranged.remote.get(part.name, start, end)
            yield content  # all of the shard, from a server that knows no ranges
            if len(content) != end - start:
                return
            start = end
