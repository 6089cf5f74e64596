"""The image itself as a node of its graph, as sg2im has it."""

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from frido.contracts.geometry import WHOLE
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.encoding import numbers_of, renumbered
from frido.data.sources.base import Source

IMAGE, IN_IMAGE = "__image__", "__in_image__"


class WithImageNode(Source):
    """Any source, with an object that is the whole image last in every scene, and every other object in relation to it.

    Its words are the first of their kinds, so that others are numbered as in sg2im's vocabulary (`sg2im/data/vg.py`).

    Args:
        source: Of the scenes.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.licence, self.origin = source.licence, source.origin

    @property
    def vocabulary(self) -> Vocabulary:
        words = self.source.vocabulary
        return replace(words, categories=(IMAGE, *words.categories), predicates=(IN_IMAGE, *words.predicates))

    def count(self, split: str) -> int:
        return self.source.count(split)

    def scene(self, split: str, index: int) -> Scene:
        scene = self.source.scene(split, index)
        last = len(scene.objects)
        inside = tuple(Relationship(number, IN_IMAGE, last) for number in range(last))
        return replace(
            scene,
            objects=(*scene.objects, Object(IMAGE, WHOLE)),
            relationships=(*scene.relationships, *inside),
            segmentation=self._renumbered(scene) if scene.segmentation else b"",
        )

    def file(self, split: str, index: int) -> str:
        return self.source.file(split, index)

    def settings(self) -> dict[str, Any]:
        return self.source.settings()

    def filters(self) -> dict[str, dict[str, dict[str, int]]]:
        return self.source.filters()

    def _renumbered(self, scene: Scene) -> bytes:
        return renumbered(scene.segmentation, self._numbers, f"segmentation of scene {scene.id}")

    @cached_property
    def _numbers(self) -> np.ndarray:
        return numbers_of(self.source.vocabulary.categories, self.vocabulary.categories)
