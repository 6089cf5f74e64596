"""Scenes -> CLEVR's own files, so that its reader is tested end to end without a download."""

import io
from pathlib import Path
from typing import Any

from PIL import Image

from frido.contracts import atomic
from frido.contracts.errors import FridoError
from frido.contracts.scene import Object, Scene
from frido.data.sources.base import SPLITS, Source
from frido.data.sources.clevr import ATTRIBUTES, PREDICATES
from frido.data.sources.clevr_boxes import FOCAL
from frido.data.sources.writer import LayoutWriter

HEIGHT = 10.0
"""Of the camera, which looks down on a ground where the flat shapes lie."""

DIRECTIONS = {
    "left": (-1, 0, 0),
    "right": (1, 0, 0),
    "front": (0, -1, 0),
    "behind": (0, 1, 0),
    "above": (0, 0, 1),
    "below": (0, 0, -1),
}


class ClevrWriter(LayoutWriter):
    """Writes the layout of the release, CLEVR v1.0, and test scenes too.

    The layout has places in space and no boxes: an object becomes a disc whose diameter is the longer side of its
    box, at its box's centre to a pixel. Its three attributes become colour, size and material. Relationships keep
    their words, and are not completed. Captions and visible shares are left out.
    """

    mark = "scenes/CLEVR_train_scenes.json"

    def _fill(self, source: Source, folder: Path) -> dict[str, int]:
        (folder / "scenes").mkdir()
        for split in SPLITS:
            (folder / "images" / split).mkdir(parents=True)
            scenes = []
            for index in range(source.count(split)):
                scene = source.scene(split, index)
                name = f"CLEVR_{split}_{index:06d}.png"
                with Image.open(io.BytesIO(scene.image)) as opened:
                    opened.convert("RGBA").save(folder / "images" / split / name)
                relationships = _relationships(scene, source.vocabulary.predicates)
                scenes.append(
                    {
                        "image_index": index,
                        "image_filename": name,
                        "split": split,
                        "objects": [_object(item, scene) for item in scene.objects],
                        "relationships": relationships,
                        "directions": DIRECTIONS,
                    }
                )
            content = {"info": {"split": split, "version": "1.0"}, "scenes": scenes}
            atomic.write_json(folder / "scenes" / f"CLEVR_{split}_scenes.json", content)
        return {split: source.count(split) for split in SPLITS}


def _object(item: Object, scene: Scene) -> dict[str, Any]:
    if len(item.attributes) != len(ATTRIBUTES):
        raise FridoError(
            f"scene {scene.id}",
            got=f"attributes {item.attributes}",
            wanted="a colour, a size and a material",
            do="write scenes in this layout: source=scenes",
        )
    left, top, right, bottom = item.box
    across, down = (left + right) / 2 * scene.width, (top + bottom) / 2 * scene.height
    focal = FOCAL * scene.width
    slope = max((right - left) * scene.width, (bottom - top) * scene.height) / 2 / focal
    depth = HEIGHT / (1 + slope)
    place = (across - scene.width / 2) / focal * depth, (scene.height / 2 - down) / focal * depth, slope * depth
    return {
        "shape": item.category,
        **dict(zip(ATTRIBUTES, item.attributes, strict=True)),
        "3d_coords": place,
        "rotation": 0.0,
        "pixel_coords": (round(across), round(down), depth),
    }


def _relationships(scene: Scene, predicates: tuple[str, ...]) -> dict[str, list[list[int]]]:
    """Return, by predicate and object, the subjects that stand so to it."""
    words = {predicate: word for word, predicate in PREDICATES.items()}
    subjects: dict[str, list[list[int]]] = {words.get(name, name): [[] for _ in scene.objects] for name in predicates}
    for told in scene.relationships:
        subjects[words.get(told.predicate, told.predicate)][told.object].append(told.subject)
    return subjects
