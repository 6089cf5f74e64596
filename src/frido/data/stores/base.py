"""Where the files of a packed dataset lie."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple


class Part(NamedTuple):
    """A shard as `dataset.json` tells it: what any copy of it must be."""

    name: str
    bytes: int
    sha256: str


class Store(ABC):
    """Reads the files of one packed dataset. Safe to use from several threads at once."""

    @abstractmethod
    def path(self, name: str) -> str:
        """Return where a file is, for people."""

    @abstractmethod
    def small(self, name: str) -> bytes:
        """Return a whole file that is no shard: `dataset.json`, a tokenizer, an index.

        Raises:
            OSError: It cannot be read; its `strerror` says why.
        """

    @abstractmethod
    def read(self, part: Part, offset: int, length: int) -> bytes:
        """Return bytes of a shard: fewer than `length` where it ends before.

        Raises:
            OSError: It cannot be read; its `strerror` says why.
        """

    @abstractmethod
    def again(self, part: Part) -> bool:
        """Return whether bytes of a shard that are not those that were packed may be right when read once more."""

    @abstractmethod
    def check(self, parts: Sequence[Part]) -> None:
        """Look, at little cost, whether shards and their indexes are there.

        Raises:
            FridoError: One is not, or it has another size; or they cannot be read in this way at all.
        """
