"""The embedded dataset: rendered on the spot, then read like any other."""

from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock
from jaxtyping import Int
from torch import Tensor

from frido.contracts.batch import Batch
from frido.contracts.scene import Scene, Vocabulary
from frido.data.loader import Loader
from frido.data.pack import Packing
from frido.data.reading import Reading
from frido.data.shards import SPEC, read_spec
from frido.data.sources.base import Source


class ProceduralData:
    """A dataset that is made from a source whenever it is not there yet.

    Args:
        source: Renders the scenes.
        packing: Writes them.
        reading: Makes batches of them.
    """

    def __init__(self, *, source: Source, packing: Packing, reading: Reading) -> None:
        self.source, self.packing, self.reading = source, packing, reading

    def prepare(self, cache: Path) -> Path:
        """Return the packed dataset in the folder `cache`, rendered first unless the same one is there already.

        Raises:
            FridoError: `cache` holds something that is no dataset, or cannot be written.
        """
        cache = Path(cache)
        cache.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(cache.parent / f".{cache.name}.lock"):
            settings = self.packing.settings(self.source)
            spec = read_spec(cache) if (cache / SPEC).is_file() else {}
            if any(spec.get(name) != value for name, value in settings.items()):
                self.packing.write(self.source, cache, overwrite=True)
        return cache

    def loader(self, root: Path, split: str, *, batch: int, rank: int, world_size: int, seed: int | None) -> Loader:
        """Return the batches of a split; see `Reading.loader`."""
        return self.reading.loader(root, split, batch=batch, rank=rank, world_size=world_size, seed=seed)

    def collate(self, scenes: Sequence[Scene], vocabulary: Vocabulary, positions: Int[Tensor, "batch"]) -> Batch:
        """Return scenes from anywhere as a batch like the loader's."""
        return self.reading.collate(scenes, vocabulary, positions)
