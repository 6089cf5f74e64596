"""Metrics that give every picture a number of its own."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from jaxtyping import Float, Int64
from torch import Tensor

from frido.contracts.metric import Metric, Part
from frido.metrics.ranks import from_all


class PerPicture(Metric):
    """Means over pictures, named `NAME@COUNT`; whatever the order, the batches and the processes, to the last bit.

    A picture's number never depends on the rest of its batch. What subclasses return per picture goes to `take`.
    """

    names: tuple[str, ...]
    """Short names of the numbers."""

    def __init__(self) -> None:
        self._own: dict[int, dict[str, float]] = {}
        self._rows: dict[int, dict[str, float]] = {}
        self._refused: dict[str, str] = {}

    @abstractmethod
    def refusals(self) -> Mapping[str, str]:
        """Return by short name why a number would mean nothing.

        Called once by every process in each `compute`, where there are pictures.
        """

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Return what the card says beside the number of images and what is refused."""

    def take(self, positions: Int64[Tensor, "batch"], values: Mapping[str, Float[Tensor, "batch"]]) -> None:
        """Take in numbers of some pictures, by short name: all of `names`, or none where `refusals` will say why."""
        columns = {name: column.double().tolist() for name, column in values.items()}
        for place, position in enumerate(positions.tolist()):
            assert position not in self._own, f"two pictures at position {position}"
            self._own[position] = {name: column[place] for name, column in columns.items()}

    def compute(self) -> dict[str, float]:
        together = {position: row for part in from_all(self._own) for position, row in part.items()}
        count = len(together)
        refused = self.refusals() if together else dict.fromkeys(self.names, "no pictures were given")
        self._refused = {f"{name}@{count}": why for name, why in refused.items()}
        told = [name for name in self.names if name not in refused]
        self._rows = {
            position: {f"{name}@{count}": together[position][name] for name in told}
            for position in sorted(together)
            if told
        }
        # A sum without rounding: in another order it is the same.
        return {f"{name}@{count}": math.fsum(row[name] for row in together.values()) / count for name in told}

    def card(self) -> dict[str, Any]:
        return {**self.about(), "images": len(self._rows), "refused": self._refused}

    def parts(self) -> Mapping[str, Mapping[str, Part]]:
        return {}

    def rows(self) -> Mapping[int, Mapping[str, float]]:
        return self._rows
