"""What readers know of a split: scenes by row."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.contracts.scene import Scene, Vocabulary
from frido.data.index import AGAIN


@runtime_checkable
class Positions(Protocol):
    """An endless order of rows."""

    seed: int

    def indices(self, positions: np.ndarray) -> np.ndarray:
        """Return the rows at some positions (samples before them in the stream)."""
        ...


class Rows(ABC):
    """The scenes of a split, numbered from 0; any can be read at any time, from several threads."""

    vocabulary: Vocabulary

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def check(self) -> None:
        """Look, at little cost, whether every shard is there.

        Raises:
            FridoError: One is missing or has another size than when packed.
        """

    @abstractmethod
    def order(self, *, seed: int) -> Positions:
        """Return the shuffled order in which training reads."""

    @abstractmethod
    def scenes(self, rows: Sequence[int]) -> list[Scene | Lost]:
        """Return the scenes of some rows with their encoded images, or why one could not be read."""

    @abstractmethod
    def lost(self, row: int, error: FridoError) -> Lost:
        """Return that a row's image was read and could not be decoded."""

    def scene(self, row: int) -> Scene:
        """Return the scene of a row, where none may be lost.

        Raises:
            FridoError: It cannot be read; shard and key are named.
        """
        (found,) = self.scenes([row])
        if isinstance(found, Lost):
            raise unreadable(found)
        return found


def unreadable(lost: Lost) -> FridoError:
    """Return the error of a sample that has to be read."""
    what = f"shard {lost.shard}, key {lost.key}"
    return FridoError(what, got=lost.reason, wanted="the sample as packed", do=AGAIN)
