"""A dataset that somebody packed before, with `python -m frido.pack`."""

import logging
import math
from pathlib import Path
from typing import Literal

from frido.contracts.errors import FridoError
from frido.contracts.stream import Stream
from frido.data.dataset import Dataset
from frido.data.reading import Reading
from frido.data.resampled import ResampledData
from frido.data.shards import SPEC, Shards, read_spec
from frido.data.stores.at import is_remote, store_at
from frido.data.stores.base import Store
from frido.data.stores.pinned import folder_of, pin
from frido.data.stores.remote import Remote

log = logging.getLogger(__name__)


class PackedData(Dataset):
    """Shards in a folder, or at a URL.

    Args:
        shards: Folder with `dataset.json`, a relative one is below the working directory; or its URL, of any protocol
            that fsspec knows.
        cache_gb: Bound of the copies that are kept of the shards of URLs, GB; 0 keeps none and asks for each run of
            samples anew.
        cache_dir: Folder of those copies, on a disk of each machine; processes and runs share it.
        pack_source: Option of `python -m frido.pack source=...` that makes them, for the message when they are missing.
        pack_recipe: Option of `python -m frido.run experiment=...` that reads them, for the same message.
        reading: Makes batches of them.
        max_loss: Samples that may turn out unreadable before a training stops.

    Raises:
        FridoError: A bound below 0.
    """

    def __init__(
        self,
        *,
        shards: str,
        cache_gb: float,
        cache_dir: str,
        pack_source: str,
        pack_recipe: str,
        reading: Reading,
        max_loss: int,
    ) -> None:
        super().__init__(reading=reading, max_loss=max_loss)
        if cache_gb < 0:
            raise FridoError("data.cache_gb", got=cache_gb, wanted="a number of GB; 0 keeps nothing", do="set it to 50")
        self.shards, self.pack_source, self.pack_recipe = shards, pack_source, pack_recipe
        self.cache_gb, self.cache_dir = cache_gb, Path(cache_dir).expanduser()
        self._stores: dict[Path, Store] = {}

    def found(self, cache: Path) -> Path:
        """Return the folder with `dataset.json`: that of the shards, or in `cache`, if they lie at a URL.

        Raises:
            FridoError: As for `located`; or the shards of two blocks do not fit into `cache_gb`.
        """
        root = self.located(cache)
        check_room(self.two_blocks(root), self.cache_gb)
        return root

    def located(self, cache: Path) -> Path:
        """Return the same folder, whatever `cache_gb` is.

        Raises:
            FridoError: Nothing is there: with the command that packs it and the override that does without it.
        """
        return pin(Remote(self.shards), cache).resolve() if is_remote(self.shards) else self._local()

    def place(self, cache: Path, digest: str) -> Path:
        """Return the folder that `located` returned, without asking a server, given the SHA-256 of `dataset.json`.

        Raises:
            FridoError: The shards were in a folder, and nothing is there any more.
        """
        return folder_of(digest, cache) if is_remote(self.shards) else self._local()

    def two_blocks(self, root: Path) -> float:
        """Return the room that the cache needs, GB, so that each shard is fetched once an epoch: none for a folder."""
        if not is_remote(self.shards):
            return 0.0
        spec = read_spec(root)
        sizes = [
            sorted((shard["bytes"] for shard in split["shards"]), reverse=True) for split in spec["splits"].values()
        ]
        return max(sum(of_split[: 2 * spec["order"]["block"]]) for of_split in sizes) / 1e9

    def stream(self, root: Path, *, batch: int, rank: int, world_size: int, seed: int) -> Stream:
        stream = super().stream(root, batch=batch, rank=rank, world_size=world_size, seed=seed)
        if rank == 0:
            self.warn_of_cuts(root, batch // world_size)
        return stream

    def warn_of_cuts(self, root: Path, together: int) -> None:
        """Warn where every read is a request, and `together` samples, which are read at once, are no whole runs."""
        run = read_spec(root)["order"]["run"]
        if is_remote(self.shards) and not self.cache_gb and together % run:
            log.warning(
                "%s: a rank reads %d samples at once, which cuts its runs of %d into more requests than need be: "
                "choose a batch that is a multiple of %d for each rank, or set data.cache_gb",
                *(self.shards, together, run, run),
            )

    def rows(self, root: Path, split: str) -> Shards:
        return Shards(self._store(root), split)

    def _store(self, root: Path) -> Store:
        if root not in self._stores:
            location = self.shards if is_remote(self.shards) else str(root)
            self._stores[root] = store_at(location, pinned=root, cache=self.cache_dir, cache_gb=self.cache_gb)
        return self._stores[root]

    def _local(self) -> Path:
        root = Path(self.shards)
        if not (root / SPEC).is_file():
            raise FridoError(
                f"data.shards={root}",
                got=f"no {SPEC} in {root.resolve()}",
                wanted="a packed dataset",
                do=f"pack it: python -m frido.pack source={self.pack_source} source.root=DIR out={root}\n"
                f"          or run the same recipe on the embedded scenes: "
                f"python -m frido.run experiment={self.pack_recipe} data=scenes",
            )
        return root.resolve()


def check_room(least: float, cache_gb: float) -> None:
    """Refuse a cache that cannot hold what is read at a time.

    Args:
        least: Room for two blocks of shards of each dataset that is read through it, GB.
        cache_gb: Its bound, GB; 0 keeps nothing.

    Raises:
        FridoError: It is smaller.
    """
    if 0 < cache_gb < least:
        raise FridoError(
            "data.cache_gb",
            got=cache_gb,
            wanted=f"at least {least:.3g} GB, two blocks of shards, or each is fetched again and again",
            do=f"data.cache_gb={math.ceil(least * 1000) / 1000:g}; or 0 to read without a cache",
        )


def packed_data(
    *,
    shards: str,
    reader: Literal["indexed", "webdataset"],
    cache_gb: float,
    cache_dir: str,
    held_out: int,
    pack_source: str,
    pack_recipe: str,
    reading: Reading,
    max_loss: int,
) -> Dataset:
    """Return the dataset of some shards.

    Args:
        shards: Where they are.
        reader: "indexed" for those that `python -m frido.pack` wrote or indexed, read exactly; "webdataset" for any
            others, streamed and resampled.
        cache_gb: See `PackedData`; not for "webdataset".
        cache_dir: See `PackedData`; not for "webdataset".
        held_out: See `ResampledData`; not for "indexed".
        pack_source: See `PackedData`.
        pack_recipe: See `PackedData`.
        reading: Makes batches of them.
        max_loss: Samples that may turn out unreadable before a training stops.
    """
    if reader == "webdataset":
        return ResampledData(shards=shards, held_out=held_out, reading=reading, max_loss=max_loss)
    return PackedData(
        shards=shards,
        cache_gb=cache_gb,
        cache_dir=cache_dir,
        pack_source=pack_source,
        pack_recipe=pack_recipe,
        reading=reading,
        max_loss=max_loss,
    )
