"""CLEVR's files -> scenes: the release, or what its generator writes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.geometry import WHOLE
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.filters.base import Filter
from frido.data.filters.described import described
from frido.data.sources import clevr_records as records
from frido.data.sources.annotated import Annotated
from frido.data.sources.clevr_boxes import boxes_of
from frido.data.sources.clevr_records import Place

PREDICATES = {"left": "left of", "right": "right of", "front": "in front of", "behind": "behind"}
ATTRIBUTES = ("color", "size", "material")


class Clevr(Annotated):
    """Rendered solids with places in space and all their relationships (Johnson et al., 2017).

    An object's category is its shape and its attributes are (colour, size, material). Boxes are derived, see
    `clevr_boxes`; visible shares are not known. Every pair is related twice, left or right and before or behind, and
    from both ends; `OnlyPredicates` leaves one end. `relationships["left"][i]` lists what is left of object i.

    Words are those that the files use, in alphabetical order; nothing else of CLEVR's world is assumed. The release
    has no scenes of its test images.

    Args:
        root: Folder of the release (`CLEVR_v1.0`) or the generator's output.
        splits: CLEVR's name of our train, val and test; the generator calls its own "new".
        filters: By name, in the order in which they are applied.

    Raises:
        FridoError: There are no scenes, or a file is no file of CLEVR.
    """

    licence = "CC BY 4.0"
    origin = "CLEVR, https://cs.stanford.edu/people/jcjohns/clevr/"

    def __init__(self, *, root: str, splits: Mapping[str, str], filters: Mapping[str, Filter]) -> None:
        super().__init__(root=root, filters=filters)
        self._names = dict(splits)
        self._images: dict[str, Path] = {}
        self._sizes: dict[str, tuple[int, int] | None] = {}
        handles: dict[str, list[tuple[Place, str]]] = {}
        words: dict[str, set[str]] = {"shape": set(), **{name: set() for name in ATTRIBUTES}}
        predicates: dict[str, None] = {}
        for split, name in self._names.items():
            handles[split] = []
            for place, record in records.scenes_of(self.root, name):
                handles[split].append((place, record["image_filename"]))
                predicates |= dict.fromkeys(record["relationships"])
                for kind, found in words.items():
                    found |= {item[kind] for item in record["objects"]}
            folder = self.root / "images"
            self._images[split] = folder / name if (folder / name).is_dir() else folder
            self._sizes[split] = _size(self._images[split], [image for _, image in handles[split]])
        self._digest = records.digest(self.root, [place.file for found in handles.values() for place, _ in found])
        if not any(handles.values()):
            raise FridoError(
                root,
                got="no scenes of " + ", ".join(self._names.values()),
                wanted="scenes/CLEVR_train_scenes.json, or the generator's CLEVR_scenes.json",
                do=f"{records.WHERE}; splits of other names: source.splits.train=NAME",
            )
        shapes, *attributes = (sorted(found) for found in words.values())
        known = (*PREDICATES, *sorted(predicates.keys() - PREDICATES.keys()))
        self._select(
            handles,
            Vocabulary(
                tuple(shapes),
                tuple(dict.fromkeys(word for found in attributes for word in found)),
                tuple(PREDICATES.get(name, name) for name in known if name in predicates),
            ),
        )

    def settings(self) -> dict[str, Any]:
        return {
            "name": "clevr",
            "splits": self._names,
            "filters": described(self._filters),
            "annotations": self._digest,
        }

    def _path(self, split: str, handle: tuple[Place, str]) -> Path:
        return self._images[split] / handle[1]

    def _annotation(self, split: str, handle: tuple[Place, str]) -> Scene:
        record, size = records.read(self.root, handle[0]), self._sizes[split]
        items = record["objects"]
        boxes = boxes_of(record, *size) if size else [WHOLE] * len(items)
        objects = (
            Object(item["shape"], box, tuple(item[name] for name in ATTRIBUTES))
            for item, box in zip(items, boxes, strict=True)
        )
        relationships = (
            Relationship(subject, PREDICATES.get(name, name), number)
            for name, lists in record["relationships"].items()
            for number, subjects in enumerate(lists)
            for subject in subjects
        )
        width, height = size or (0, 0)
        return Scene(
            Path(handle[1]).stem.replace(".", "_"), tuple(objects), tuple(relationships), width=width, height=height
        )


def _size(folder: Path, names: list[str]) -> tuple[int, int] | None:
    """Return the size of the images of a split, which are rendered alike; `None` where none is there."""
    first = next((folder / name for name in names if (folder / name).is_file()), None)
    if first is None:
        return None
    try:
        with Image.open(first) as opened:
            return opened.size
    except OSError as error:
        raise FridoError(str(first), got=f"no image: {error}", wanted="a PNG of CLEVR", do="unpack it again") from None
