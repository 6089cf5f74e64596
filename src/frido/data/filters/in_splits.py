"""Rules for some splits alone."""

from collections.abc import Sequence
from typing import Any

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.filters.base import Filter
from frido.data.filters.described import described


class InSplits(Filter):
    """Applies a filter in some splits, and lets the others pass. For filters that leave the vocabulary alone.

    Args:
        splits: Of "train", "val" and "test".
        filter: What to apply.

    Raises:
        FridoError: The filter learns its words from the training scenes.
    """

    def __init__(self, *, splits: Sequence[str], filter: Filter) -> None:
        if filter.learns:
            raise FridoError(
                "a filter in some splits",
                got=type(filter).__name__,
                wanted="one that does not change the vocabulary",
                do="let it stand by itself",
            )
        self.splits = tuple(splits)
        self.inside: list[dict[str, Any]] = described({"filter": filter})
        self._filter = filter

    def __call__(self, scene: Scene, split: str) -> Scene | None:
        return self._filter(scene, split) if split in self.splits else scene
