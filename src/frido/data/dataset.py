"""What a run knows of its dataset: the node `data`."""

from abc import ABC, abstractmethod
from pathlib import Path

from frido.contracts.errors import FridoError
from frido.contracts.stream import Stream
from frido.data.reading import Reading
from frido.data.rows import Rows
from frido.data.shards import read_spec


class Dataset(ABC):
    """Rows by split, and the stream of training batches.

    Args:
        reading: Makes batches of the scenes.
        max_loss: Samples that may turn out unreadable in a training, each named and replaced, before it stops.

    Raises:
        FridoError: `max_loss` is negative.
    """

    note: str | None = None
    """What must be said beside every number of a run on it, if anything."""

    def __init__(self, *, reading: Reading, max_loss: int) -> None:
        if max_loss < 0:
            raise FridoError("data.max_loss", got=max_loss, wanted="a number of samples", do="data.max_loss=0")
        self.reading, self.max_loss = reading, max_loss

    def prepare(self, cache: Path) -> Path:
        """Return the folder that holds `dataset.json`, after a look at whether all is there.

        Args:
            cache: Folder for what has to be made or fetched first.

        Raises:
            FridoError: Something is missing, and none may be lost.
        """
        root = self.found(Path(cache))
        self.check(root)
        return root

    def check(self, root: Path) -> None:
        """Look whether all of the dataset that was prepared in the folder `root` is there, if none of it may be lost.

        Raises:
            FridoError: A shard or its index is missing, or has another size than when packed.
        """
        if self.max_loss == 0:
            for split in read_spec(root)["splits"]:
                self.rows(root, split).check()

    @abstractmethod
    def found(self, cache: Path) -> Path:
        """Return the folder that holds `dataset.json`; make or fetch it, in `cache`, where it is not there yet."""

    @abstractmethod
    def rows(self, root: Path, split: str) -> Rows:
        """Return a split of the dataset that was prepared in the folder `root`."""

    @property
    def fixed(self) -> bool:
        """Whether a training row always looks the same, so that its latents can be kept."""
        return self.reading.training.fixed

    def stream(self, root: Path, *, batch: int, rank: int, world_size: int, seed: int) -> Stream:
        """Return this rank's part of the shuffled training batches."""
        rows = self.rows(root, "train")
        return self.reading.stream(rows, order=rows.order(seed=seed), batch=batch, rank=rank, world_size=world_size)
