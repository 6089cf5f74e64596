"""A dataset that somebody packed before, with `python -m frido.pack`."""

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Int
from torch import Tensor

from frido.contracts.batch import Batch
from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene, Vocabulary
from frido.data.loader import Loader
from frido.data.reading import Reading
from frido.data.shards import SPEC, Shards, read_spec


class PackedData:
    """Shards on disk.

    Args:
        shards: Folder with `dataset.json`; a relative one is below the working directory.
        source: Option of `python -m frido.pack source=...` that makes them, for the message when they are missing.
        recipe: Option of `python -m frido.run experiment=...` that reads them, for the same message.
        reading: Makes batches of them.
    """

    def __init__(self, *, shards: str, source: str, recipe: str, reading: Reading) -> None:
        self.shards, self.source, self.recipe, self.reading = Path(shards), source, recipe, reading

    def prepare(self, cache: Path) -> Path:
        """Return the folder of the shards after a look at every file's size; `cache` is not used.

        Raises:
            FridoError: Nothing is there: with the command that packs it and the override that does without it.
        """
        if not (self.shards / SPEC).is_file():
            raise FridoError(
                f"data.shards={self.shards}",
                got=f"no {SPEC} in {self.shards.resolve()}",
                wanted="a packed dataset",
                do=f"pack it: python -m frido.pack source={self.source} source.root=DIR out={self.shards}\n"
                f"          or run the same recipe on the embedded scenes: "
                f"python -m frido.run experiment={self.recipe} data=scenes",
            )
        for split in read_spec(self.shards)["splits"]:
            Shards(self.shards, split).close()
        return self.shards.resolve()

    def loader(self, root: Path, split: str, *, batch: int, rank: int, world_size: int, seed: int | None) -> Loader:
        """Return the batches of a split; see `Reading.loader`."""
        return self.reading.loader(root, split, batch=batch, rank=rank, world_size=world_size, seed=seed)

    def collate(self, scenes: Sequence[Scene], vocabulary: Vocabulary, positions: Int[Tensor, "batch"]) -> Batch:
        """Return scenes from anywhere as a batch like the loader's."""
        return self.reading.collate(scenes, vocabulary, positions)
