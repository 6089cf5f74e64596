"""The embedded dataset: rendered on the spot, then read like any other."""

from pathlib import Path

from filelock import FileLock

from frido.data.dataset import Dataset
from frido.data.packing.pack import Packing
from frido.data.reading import Reading
from frido.data.shards import SPEC, Shards, read_spec
from frido.data.sources.base import Source


class ProceduralData(Dataset):
    """A dataset that is made from a source whenever it is not there yet.

    Args:
        source: Renders the scenes.
        packing: Writes them.
        reading: Makes batches of them.
        max_loss: Samples that may turn out unreadable before a training stops.
    """

    def __init__(self, *, source: Source, packing: Packing, reading: Reading, max_loss: int) -> None:
        super().__init__(reading=reading, max_loss=max_loss)
        self.source, self.packing = source, packing

    def found(self, cache: Path) -> Path:
        """Return the packed dataset in the folder `cache`, rendered first unless the same one is there already.

        Raises:
            FridoError: `cache` holds something that is no dataset, or cannot be written.
        """
        cache.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(cache.parent / f".{cache.name}.lock"):
            settings = self.packing.settings(self.source)
            spec = read_spec(cache) if (cache / SPEC).is_file() else {}
            if any(spec.get(name) != value for name, value in settings.items()):
                self.packing.write(self.source, cache, overwrite=True)
        return cache

    def rows(self, root: Path, split: str) -> Shards:
        return Shards.below(root, split)
