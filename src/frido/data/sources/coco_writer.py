"""Scenes -> COCO's own files."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask

from frido.contracts import atomic
from frido.contracts.scene import Object, Scene
from frido.data.sources.base import SPLITS, Source
from frido.data.sources.writer import LayoutWriter, save_jpeg

PLACES = {"train": "train2017", "val": "val2017", "test": "val2017"}
"""COCO publishes no annotations of its test images: test scenes follow the val ones, as in sg2im."""

BACKGROUND, FIRST_STUFF = "background", 92


class CocoWriter(LayoutWriter):
    """Writes the layout of 2017: instances, captions where scenes have some, stuff where they have a segmentation.

    Images are numbered through all splits, categories from 1. An instance's mask is its box as a polygon; with a
    segmentation it is the pixels of its category inside the box, as a run-length code of numbers, and the pixels
    of no category are stuff, "background", as a packed code. What the layout has no place for (attributes,
    relationships, visible shares) is left out.

    Args:
        quality: Of the JPEG files, 1 to 95.
    """

    mark = "annotations/instances_train2017.json"

    def __init__(self, *, quality: int) -> None:
        self.quality = quality

    def _fill(self, source: Source, folder: Path) -> dict[str, int]:
        names = source.vocabulary.categories
        codes = {name: code for code, name in enumerate(names, 1)}
        ground = max(FIRST_STUFF, len(names) + 1)
        files: dict[tuple[str, str], list[dict[str, Any]]] = {}
        images: dict[str, list[dict[str, Any]]] = {place: [] for place in PLACES.values()}
        number = 0
        for split, place in PLACES.items():
            (folder / place).mkdir(exist_ok=True)
            for index in range(source.count(split)):
                scene = source.scene(split, index)
                number += 1
                name = f"{number:012d}.jpg"
                save_jpeg(scene, folder / place / name, quality=self.quality)
                images[place].append({"id": number, "file_name": name, "width": scene.width, "height": scene.height})
                for kind, records in _annotations(scene, codes, ground).items():
                    content = files.setdefault((kind, place), [])
                    content += [{"id": len(content) + k, "image_id": number, **r} for k, r in enumerate(records, 1)]
        (folder / "annotations").mkdir()
        categories = {
            "instances": [{"supercategory": "thing", "id": code, "name": name} for name, code in codes.items()],
            "stuff": [{"supercategory": "stuff", "id": ground, "name": BACKGROUND}],
        }
        for (kind, place), annotations in files.items():
            whole: dict[str, Any] = {
                "info": {"year": 2017},
                "licenses": [],
                "images": images[place],
                "annotations": annotations,
            }
            words = {"categories": categories[kind]} if kind in categories else {}
            atomic.write_json(folder / "annotations" / f"{kind}_{place}.json", whole | words)
        return {split: source.count(split) for split in SPLITS}


def _annotations(scene: Scene, codes: dict[str, int], ground: int) -> dict[str, list[dict[str, Any]]]:
    """Return the records of a scene by the kind of their file, without their ids."""
    found: dict[str, list[dict[str, Any]]] = {"instances": []}
    pixels = np.asarray(Image.open(io.BytesIO(scene.segmentation))) if scene.segmentation else None
    for item in scene.objects:
        found["instances"].append(_instance(scene, item, codes[item.category], pixels))
    if scene.captions:
        found["captions"] = [{"caption": caption} for caption in scene.captions]
    if pixels is not None:
        code = mask.encode(np.asfortranarray(pixels == 0, dtype=np.uint8))
        segmentation = {"counts": code["counts"].decode(), "size": list(pixels.shape)}
        whole = {"bbox": [float(edge) for edge in mask.toBbox(code)], "area": float(mask.area(code)), "iscrowd": 0}
        found["stuff"] = [{"segmentation": segmentation, "category_id": ground, **whole}] if (pixels == 0).any() else []
    return found


def _instance(scene: Scene, item: Object, category: int, pixels: np.ndarray | None) -> dict[str, Any]:
    left, right = (round(edge * scene.width, 2) for edge in item.box[0::2])
    top, bottom = (round(edge * scene.height, 2) for edge in item.box[1::2])
    box = [left, top, round(right - left, 2), round(bottom - top, 2)]
    segmentation: Any = [[left, top, right, top, right, bottom, left, bottom]]
    if pixels is not None:
        inside = np.zeros(pixels.shape, dtype=bool)
        inside[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = True
        segmentation = _runs(inside & (pixels == category))
    return {"category_id": category, "bbox": box, "area": box[2] * box[3], "iscrowd": 0, "segmentation": segmentation}


def _runs(covered: np.ndarray) -> dict[str, Any]:
    """Return a mask as COCO's run lengths: column by column, the first run uncovered."""
    flat = covered.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges.tolist(), flat.size]).tolist()
    return {"counts": [0, *runs] if flat[0] else runs, "size": list(covered.shape)}
