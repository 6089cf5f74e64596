"""Scenes that are in memory already."""

from collections.abc import Mapping, Sequence
from typing import Any

from frido.contracts.scene import Scene, Vocabulary
from frido.data.sources.base import Source


class Listed(Source):
    """Some scenes by split.

    Args:
        scenes: With their images.
        vocabulary: Their words.
        settings: What they are a function of, as plain JSON.
    """

    licence = "not known"
    origin = "not known"

    def __init__(
        self, *, scenes: Mapping[str, Sequence[Scene]], vocabulary: Vocabulary, settings: Mapping[str, Any]
    ) -> None:
        self._scenes, self._vocabulary, self._settings = scenes, vocabulary, settings

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    def count(self, split: str) -> int:
        return len(self._scenes.get(split, ()))

    def scene(self, split: str, index: int) -> Scene:
        return self._scenes[split][index]

    def settings(self) -> dict[str, Any]:
        return dict(self._settings)
