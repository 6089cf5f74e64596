"""COCO's files -> scenes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene, Vocabulary
from frido.data.encoding import png
from frido.data.filters.base import Filter
from frido.data.filters.described import described
from frido.data.relations.geometric import GeometricRelations
from frido.data.sources import coco_masks
from frido.data.sources.annotated import Annotated
from frido.data.sources.base import SPLITS
from frido.data.sources.coco_object import CocoObject
from frido.data.sources.coco_split import KINDS, CocoSplit

HOW = "unpack COCO's annotations and images into one folder and give it as source.root=DIR"


class Coco(Annotated):
    """Photographs with instances, stuff and captions (Lin et al., 2014; Caesar et al., 2018): editions 2014 and 2017.

    Objects are the instances and then the stuff of an image, each in the order of its file; categories are in the
    order of their ids. Captions lose blanks at their ends. Filters see boxes as they were written; those of a `scene`
    are clipped to the image. The `__image__` object of sg2im and its `__in_image__` triples are made at packing
    (`format.image_node=true`).

    Any part of the official layout will do: a split without annotation files is empty, an image without a file is
    counted. Image folders may stand below `images/`, as sg2im has them.

    Args:
        root: Folder of annotations/ and of train2017/, val2017/ (2014 likewise).
        year: Of the edition: 2014 or 2017.
        kinds: Which annotation files are read: "instances", "stuff", "captions".
        val_images: So many of the val images that the filters keep stay in val, and the rest, in the order of the
            files, is test (sg2im: 1,024), for which filters are asked again; `None` leaves test empty.
        relations: Draws relationships between the objects that the filters keep; `None` for none.
        segmentation: Whether scenes say what each pixel belongs to: of the objects that the filters keep, instances
            over stuff, later ones over earlier ones.
        filters: By name, in the order in which they are applied.

    Raises:
        FridoError: A file is missing, or is no file of COCO.
    """

    licence = "annotations CC BY 4.0 (COCO Consortium); photographs under their authors' own licences (Flickr)"
    origin = "COCO and COCO-Stuff (Lin et al., 2014; Caesar et al., 2018), https://cocodataset.org"

    def __init__(
        self,
        *,
        root: str,
        year: int,
        kinds: Sequence[str],
        val_images: int | None,
        relations: GeometricRelations | None,
        segmentation: bool,
        filters: Mapping[str, Filter],
    ) -> None:
        super().__init__(root=root, filters=filters)
        _check_kinds(kinds)
        self.year = year
        self.kinds = tuple(kind for kind in KINDS if kind in kinds)
        self.val_images = val_images
        self.relations = relations
        self.segmentation = segmentation
        self._splits = {split: CocoSplit(self._files(split)) for split in ("train", "val") if self._files(split)}
        if not self._splits:
            wanted = f"annotations/{self.kinds[0]}_train{year}.json or annotations/{self.kinds[0]}_val{year}.json"
            raise FridoError(f"source.root={root}", got="none of COCO's annotation files", wanted=wanted, do=HOW)
        self._folders = {split: self._folder(split) for split in self._splits}
        self._names = {key: name for part in self._splits.values() for key, name in part.categories.items()}
        predicates = relations.predicates if relations else ()
        words = Vocabulary(tuple(self._names[key] for key in sorted(self._names)), (), predicates)
        handles = {split: range(len(part.images)) for split, part in self._splits.items()}
        self._select(handles, words)
        if val_images is not None:
            self._move_to_test(val_images, handles.get("val", range(0)))
        for split, part in self._splits.items():
            part.forget(self._kept[split] + (self._kept["test"] if split == "val" else []))
        self._codes = {name: code for code, name in enumerate(self._vocabulary.categories, 1)}

    def settings(self) -> dict[str, Any]:
        return {
            "name": "coco",
            "year": self.year,
            "kinds": list(self.kinds),
            "val_images": self.val_images,
            "relations": {"seed": self.relations.seed} if self.relations else None,
            "segmentation": self.segmentation,
            "filters": described(self._filters),
            "annotations": {name: digest for part in self._splits.values() for name, digest in part.hashes.items()},
            "images": {split: self.count(split) for split in SPLITS},
        }

    def _files(self, split: str) -> dict[str, Path]:
        """Return the annotation files of a published split by kind; none where it has none of them."""
        folder = self.root / "annotations"
        files = {kind: folder / f"{kind}_{split}{self.year}.json" for kind in self.kinds}
        missing = [path for path in files.values() if not path.is_file()]
        if len(missing) == len(files):
            return {}
        if missing:
            rest = [kind for kind, path in files.items() if path not in missing]
            raise FridoError(
                str(missing[0]),
                got="no such file",
                wanted="all that source.kinds names, for every split that has one of them",
                do=f"put it there, or read the others alone: source.kinds=[{','.join(rest)}]",
            )
        return files

    def _folder(self, split: str) -> Path:
        folders = [self.root / f"{split}{self.year}", self.root / "images" / f"{split}{self.year}"]
        return next((folder for folder in folders if folder.is_dir()), folders[0])

    def _move_to_test(self, val_images: int, handles: Sequence[int]) -> None:
        """Leave the first images of val there and make the others test: each is counted in one split."""
        moved = self._kept["val"][val_images:]
        others = set(moved)
        self._sift("val", [handle for handle in handles if handle not in others])
        self._sift("test", moved)

    def _part(self, split: str) -> CocoSplit:
        return self._splits["val" if split == "test" else split]

    def _annotation(self, split: str, handle: int) -> Scene:
        part = self._part(split)
        image = part.images[handle]
        objects = []
        for told in part.annotations(handle):
            left, top, width, height = told.box
            box = (
                left / image.width,
                top / image.height,
                (left + width) / image.width,
                (top + height) / image.height,
            )
            objects.append(
                CocoObject(self._names[told.category], box, crowd=told.crowd, stuff=told.stuff, row=told.row)
            )
        return Scene(
            str(image.id), tuple(objects), captions=part.captions(handle), width=image.width, height=image.height
        )

    def _path(self, split: str, handle: int) -> Path:
        official = "val" if split == "test" else split
        return self._folders[official] / self._part(split).images[handle].file

    def _finished(self, scene: Scene, split: str, handle: int) -> Scene:
        """Return the scene with relationships and a segmentation where wanted."""
        if not (self.relations or self.segmentation):
            return scene
        part, found = self._part(split), [item for item in scene.objects if isinstance(item, CocoObject)]
        masks = [
            coco_masks.pixels(part.segmentation(item.row), scene.width, scene.height, part.place(item.row))
            for item in found
        ]
        if self.relations:
            boxes = [item.box for item in found]
            centres = [coco_masks.centre(mask, box) for mask, box in zip(masks, boxes, strict=True)]
            scene = replace(scene, relationships=self.relations(part.images[handle].id, boxes, centres))
        return replace(scene, segmentation=self._drawn(scene, found, masks)) if self.segmentation else scene

    def _drawn(self, scene: Scene, objects: Sequence[CocoObject], masks: Sequence[np.ndarray]) -> bytes:
        pixels = np.zeros((scene.height, scene.width), np.uint8 if len(self._codes) < 256 else np.uint16)
        for item, mask in sorted(zip(objects, masks, strict=True), key=lambda pair: not pair[0].stuff):
            pixels[mask] = self._codes[item.category]
        return png(pixels)


def _check_kinds(kinds: Sequence[str]) -> None:
    if not kinds or set(kinds) - set(KINDS):
        raise FridoError(
            "source.kinds", got=list(kinds), wanted=f"some of {', '.join(KINDS)}", do="try source.kinds=[instances]"
        )
