"""A location -> its store."""

from pathlib import Path

from frido.data.stores.base import Store
from frido.data.stores.cache import ShardCache
from frido.data.stores.cached import CachedStore
from frido.data.stores.local import LocalStore
from frido.data.stores.pinned import Pinned
from frido.data.stores.ranged import RangeStore
from frido.data.stores.remote import Remote


def is_remote(location: str) -> bool:
    """Return whether a location is a URL."""
    return "://" in location


def store_at(location: str, *, pinned: Path, cache: Path, cache_gb: float) -> Store:
    """Return the store of a folder or of a URL.

    Args:
        location: Path, or URL of any protocol that fsspec knows.
        pinned: Folder of the URL's small files, with its `dataset.json`; `frido.data.stores.pinned.pin` returns it.
        cache: Folder for shards of URLs, shared by all that run on a machine.
        cache_gb: Bound of that folder, GB; 0 keeps no shard and reads by ranges.

    Raises:
        FridoError: What reads this protocol is not installed.
    """
    if not is_remote(location):
        return LocalStore(Path(location))
    remote = Remote(location)
    ranged = RangeStore(remote, Pinned(remote, pinned))
    return CachedStore(ranged, ShardCache(cache, round(cache_gb * 1e9))) if cache_gb else ranged
