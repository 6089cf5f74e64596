"""The procedural scenes as a source: a number of them for each split."""

from typing import Any

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene, Vocabulary
from frido.data.sources.base import SPLITS, Source
from frido.data.sources.scenes import RENDERER, Scenes


class Procedural(Source):
    """The first scenes of each split of an endless world.

    Args:
        scenes: The renderer.
        train: Number of training scenes.
        val: Number of validation scenes.
        test: Number of test scenes.
    """

    licence = "made by a program: no rights of others"
    origin = "Frido's procedural scenes"

    def __init__(self, *, scenes: Scenes, train: int, val: int, test: int) -> None:
        self.scenes = scenes
        self.counts = dict(zip(SPLITS, (train, val, test), strict=True))
        for split, count in self.counts.items():
            if count < (split == "train"):
                raise FridoError(
                    f"source.{split}", got=count, wanted="a number of scenes", do=f"set {split} to 1 or more"
                )

    @property
    def vocabulary(self) -> Vocabulary:
        return self.scenes.vocabulary

    def count(self, split: str) -> int:
        return self.counts[split]

    def scene(self, split: str, index: int) -> Scene:
        return self.scenes.scene(split, index)

    def settings(self) -> dict[str, Any]:
        scenes = self.scenes
        return {
            "name": "scenes",
            "renderer": RENDERER,
            "resolution": scenes.resolution,
            "objects": [scenes.min_objects, scenes.max_objects],
            "diameters": {word: list(limits) for word, limits in scenes.diameters.items()},
            "min_visible": scenes.min_visible,
            "segmentation": scenes.segmentation,
            "seed": scenes.seed,
            **self.counts,
        }
