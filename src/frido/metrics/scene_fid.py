"""SceneFID (Sylvain et al., 2021): the Fréchet distance of objects instead of images."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch

from frido.contracts.geometry import WHOLE
from frido.contracts.metric import Part, Pictures
from frido.contracts.scene import Scene
from frido.metrics.features.bank import FeatureBank
from frido.metrics.features.base import FeatureExtractor, Features
from frido.metrics.features.reference import Reference
from frido.metrics.object_crops import object_crop
from frido.metrics.ranks import from_all
from frido.metrics.statistic import FeatureStatistic, Outcome

MOST_OBJECTS = 2**20
"""Of an image. An object's position is its image's times this, plus its place in the scene."""

IMAGES = 8
"""Images whose objects are cut out at once: bounds memory, changes no number."""


class SceneFid(FeatureBank):
    """A feature bank over objects: what is in the boxes of a scene, in its real and in its generated image.

    Objects of all categories are pooled; each category with enough of them is a part. Numbers are those of a bank
    with `scene` before their names, and count objects: `scenefid/inception@12000`.

    Args:
        extractor: The feature network.
        statistics: FID, ... by any name; partials that lack `dimension` and `classes`.
        side_px: Of the squares that objects are resized to, pixels; the extractor then does as with any image.
    """

    needs_pairs = True
    needs_scenes = True
    prefix = "scene"

    def __init__(
        self, *, extractor: FeatureExtractor, statistics: dict[str, Callable[..., FeatureStatistic]], side_px: int
    ) -> None:
        super().__init__(extractor=extractor, statistics=statistics)
        self.side_px = side_px
        self._categories: dict[int, str] = {}
        self._placed = False
        self._told: dict[str, Any] = {}

    def remember(self, reference: Reference) -> None:
        images = f"{reference.images}; its objects at {self.side_px} px"
        super().remember(Reference(root=reference.root, images=images))

    def update(self, *, real: Pictures, generated: Pictures, scenes: Sequence[Scene]) -> None:
        assert real.positions.equal(generated.positions), "real and generated images come in pairs"
        assert len(real.positions) == len(scenes), "rows of images and scenes belong together"
        self._placed |= any(item.box != WHOLE for scene in scenes for item in scene.objects)
        for position, scene in zip(real.positions.tolist(), scenes, strict=True):
            places = enumerate(scene.objects, start=position * MOST_OBJECTS)
            self._categories |= {place: item.category for place, item in places}
        for start in range(0, len(scenes), IMAGES):
            rows = slice(start, start + IMAGES)
            of_real, of_generated = (self._objects(side, rows, scenes[rows]) for side in (real, generated))
            super().update(real=of_real, generated=of_generated, scenes=())

    def compute(self) -> dict[str, float]:
        placed = any(from_all(self._placed))
        numbers = super().compute()
        if placed or not self.counts.get("images"):
            return numbers
        why = "every box is the whole image: the scenes do not say where objects are"
        self.outcomes = {name: Outcome({}, outcome.images, why) for name, outcome in self.outcomes.items()}
        self.found_parts = {}
        return {}

    def card(self) -> dict[str, Any]:
        return {
            **super().card(),
            "objects": "each counts as an image here; all categories are pooled",
            "cut": "to whole pixels, left and top rounded down, right and bottom up, at least one; "
            f"resized to {self.side_px} x {self.side_px} px by PIL's bicubic; real and generated alike",
            "categories": self._told,
        }

    def parts_of(self, *, real: Features, generated: Features) -> dict[str, dict[str, Part]]:
        categories = {place: word for part in from_all(self._categories) for place, word in part.items()}
        assert real.positions.equal(generated.positions), "an object was cut out of one side alone"
        rows: defaultdict[str, list[int]] = defaultdict(list)
        for row, place in enumerate(generated.positions.tolist()):
            rows[categories[place]].append(row)
        parts: defaultdict[str, dict[str, Part]] = defaultdict(dict)
        for word, chosen in sorted(rows.items()):
            index = torch.tensor(chosen)
            for statistic in self.statistics.values():
                outcome = statistic.compute(real=real.at(index), generated=generated.at(index))
                for short, value in outcome.numbers.items():
                    parts[self._full(short, len(generated.positions))][f"category {word}"] = Part(value, len(chosen))
        with_numbers = len({name for found in parts.values() for name in found})
        self._told = {"all": len(rows), "with enough objects for a number": with_numbers}
        return dict(parts)

    def _objects(self, side: Pictures, rows: slice, scenes: Sequence[Scene]) -> Pictures:
        positions, images = (part[rows] for part in side)
        pixels = images.permute(0, 2, 3, 1).cpu().numpy()
        found = [
            (place, object_crop(image, item.box, self.side_px))
            for position, image, scene in zip(positions.tolist(), pixels, scenes, strict=True)
            for place, item in enumerate(scene.objects, start=position * MOST_OBJECTS)
        ]
        none = torch.zeros(0, 3, self.side_px, self.side_px, dtype=torch.uint8)
        together = torch.stack([crop for _, crop in found]) if found else none
        return Pictures(torch.tensor([place for place, _ in found], dtype=torch.int64), together.to(images.device))
