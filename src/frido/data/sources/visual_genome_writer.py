"""Scenes -> Visual Genome's own files."""

from pathlib import Path
from typing import Any

from frido.contracts import atomic
from frido.contracts.scene import Scene
from frido.data.sources.base import SPLITS, Source
from frido.data.sources.writer import LayoutWriter, save_jpeg

ALIASES = {
    "object_alias.txt": "circle,disc,circles\nsquare,squares\ntriangle,triangles\nstar,stars\n",
    "relationship_alias.txt": "left of,to the left of\nright of,to the right of\nnear,next to\nnear,beside\n",
}


class VisualGenomeWriter(LayoutWriter):
    """Writes the layout of release 1.2 and sg2im's `vg_splits.json`.

    An object's category becomes its name, boxes whole pixels, ids count through all splits. What the layout
    has no place for (visible shares, captions) is left out.

    Args:
        quality: Of the JPEG files, 1 to 95.
    """

    mark = "image_data.json"

    def __init__(self, *, quality: int) -> None:
        self.quality = quality

    def _fill(self, source: Source, folder: Path) -> dict[str, int]:
        (folder / "VG_100K").mkdir()
        images: list[dict[str, Any]] = []
        graphs: list[dict[str, Any]] = []
        splits: dict[str, list[int]] = {split: [] for split in SPLITS}
        next_object, next_relationship = 1, 1
        for split in SPLITS:
            for index in range(source.count(split)):
                scene = source.scene(split, index)
                image = len(images) + 1
                splits[split].append(image)
                images.append(self._image(scene, image, folder))
                graphs.append(_graph(scene, image, next_object, next_relationship))
                next_object += len(scene.objects)
                next_relationship += len(scene.relationships)
        atomic.write_json(folder / "image_data.json", images)
        for kind in ("objects", "attributes", "relationships"):
            content = [{"image_id": graph["image_id"], kind: graph[kind]} for graph in graphs]
            atomic.write_json(folder / f"{kind}.json", content)
        atomic.write_json(folder / "vg_splits.json", splits)
        for name, text in ALIASES.items():
            atomic.write_text(folder / name, text)
        return {split: len(ids) for split, ids in splits.items()}

    def _image(self, scene: Scene, image: int, folder: Path) -> dict[str, Any]:
        save_jpeg(scene, folder / "VG_100K" / f"{image}.jpg", quality=self.quality)
        return {
            "image_id": image,
            "url": f"https://example.org/VG_100K/{image}.jpg",
            "width": scene.width,
            "height": scene.height,
            "coco_id": None,
            "flickr_id": None,
        }


def _graph(scene: Scene, image: int, first_object: int, first_relationship: int) -> dict[str, Any]:
    """Return the three records of a scene together."""
    objects: list[dict[str, Any]] = []
    attributes: list[dict[str, Any]] = []
    for number, item in enumerate(scene.objects, first_object):
        left, right = (round(edge * scene.width) for edge in item.box[0::2])
        top, bottom = (round(edge * scene.height) for edge in item.box[1::2])
        place: dict[str, Any] = {"object_id": number, "x": left, "y": top, "w": right - left, "h": bottom - top}
        objects.append({**place, "names": [item.category], "synsets": []})
        words = {"attributes": list(item.attributes)} if item.attributes else {}
        attributes.append({**objects[-1], **words})

    def end(row: int) -> dict[str, Any]:
        record = {key: value for key, value in objects[row].items() if key != "names"}
        return {**record, "name": objects[row]["names"][0]}

    relationships = [
        {
            "relationship_id": number,
            "predicate": told.predicate,
            "synsets": [],
            "subject": end(told.subject),
            "object": end(told.object),
        }
        for number, told in enumerate(scene.relationships, first_relationship)
    ]
    return {"image_id": image, "objects": objects, "attributes": attributes, "relationships": relationships}
