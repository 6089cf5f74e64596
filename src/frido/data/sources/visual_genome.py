"""Visual Genome's files -> scenes."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from frido.contracts.errors import FridoError
from frido.contracts.scene import Relationship, Scene, Vocabulary
from frido.data.filters.base import Filter, NamedObject
from frido.data.filters.described import described
from frido.data.sources import visual_genome_graphs as graphs
from frido.data.sources import visual_genome_records as records
from frido.data.sources.annotated import Annotated
from frido.data.sources.base import SPLITS

SPLITS_FROM = "take sg2im/data/vg_splits.json of google/sg2im (github.com/google/sg2im): source.splits=FILE"


class Photograph(NamedTuple):
    """An image: its file below the root, and its size in pixels."""

    file: str
    width: int
    height: int


class VisualGenome(Annotated):
    """Photographs with objects, attributes and relationships (Krishna et al., 2017): releases 1.0, 1.2 and 1.4.

    With the filters of `source=visual_genome` these are the scenes of sg2im (google/sg2im,
    `scripts/preprocess_vg.py`), but for five quirks that are avoided knowingly: it normalises predicates of train
    images only, so that "ON" is lost in val and test; it looks up the names of objects as they were typed, so that
    "Man" is no "man"; its loader may return one object too many; its attribute rows are aligned with other objects;
    and it does not follow the merged ids of release 1.4. The `__image__` object and its `__in_image__` triples are
    made at packing (`format.image_node=true`). Attributes are counted on the objects that
    objects.json holds, so those of an object that it lacks do not count.

    Filters see boxes as they were drawn, also where they reach over an edge of the image; those of a `scene` are
    clipped. Any part of the official layout will do, also with both folders of images in one.

    Args:
        root: Folder of image_data.json, the two alias files, VG_100K/ and VG_100K_2/, and either objects.json,
            relationships.json and (if there) attributes.json, or scene_graphs.json.
        splits: JSON with lists of image ids under "train", "val" and "test"; `None` is `vg_splits.json` in `root`.
        captions: "regions" takes the phrases of region_descriptions.json, which tell of parts of an image, as its
            captions; `None` gives none.
        filters: By name, in the order in which they are applied.

    Raises:
        FridoError: A file is missing or is no file of Visual Genome, or the splits name no image of it.
    """

    licence = (
        "annotations CC BY 4.0; photographs under their authors' own licences (Flickr, by way of YFCC100M and COCO)"
    )
    origin = "Visual Genome (Krishna et al., 2017), https://homes.cs.washington.edu/~ranjay/visualgenome/"

    def __init__(
        self,
        *,
        root: str,
        splits: str | None,
        captions: Literal["regions"] | None,
        filters: Mapping[str, Filter],
    ) -> None:
        super().__init__(root=root, filters=filters)
        self.captions = captions
        ids = _split_ids(Path(splits) if splits else self.root / "vg_splits.json")
        self._images = self._photographs({image for split in SPLITS for image in ids[split]})
        self._graphs = graphs.read(self.root, self._images, phrases=captions is not None)
        self._select(
            {split: [image for image in ids[split] if image in self._images] for split in SPLITS}, self._words()
        )
        kept = [image for split in SPLITS for image in self._kept[split]]
        self._images = {image: self._images[image] for image in kept}
        self._graphs = {image: self._graphs[image] for image in kept if image in self._graphs}

    def settings(self) -> dict[str, Any]:
        annotations = hashlib.sha256()
        for image, text in self._graphs.items():
            annotations.update(b"%d %s\n" % (image, text))
        return {
            "name": "visual_genome",
            "captions": self.captions,
            "filters": described(self._filters),
            "annotations": annotations.hexdigest(),
            "images": {split: self.count(split) for split in SPLITS},
        }

    def _annotation(self, split: str, handle: int) -> Scene:
        graph, image = graphs.unpack(self._graphs.get(handle)), self._images[handle]
        width, height = image.width, image.height
        return Scene(
            id=str(handle),
            objects=tuple(
                NamedObject(
                    names[0],
                    (x / width, y / height, (x + w) / width, (y + h) / height),
                    tuple(attributes),
                    names=tuple(names),
                )
                for x, y, w, h, names, attributes in graph.things
            ),
            relationships=tuple(Relationship(*told) for told in graph.relationships),
            captions=tuple(graph.phrases),
            width=width,
            height=height,
        )

    def _path(self, split: str, handle: int) -> Path:
        return self.root / self._images[handle].file

    def _photographs(self, wanted: set[int]) -> dict[int, Photograph]:
        """Return the wanted images that image_data.json knows, by id."""
        path = self.root / "image_data.json"
        one_folder = not (self.root / "VG_100K_2").is_dir()
        found: dict[int, Photograph] = {}
        with records.fields(path, "image_id, url, width and height"):
            for record in records.stream(path):
                image = records.image_id(record)
                if image in wanted:
                    folder, name = record["url"].split("/")[-2:]
                    place = f"{'VG_100K' if one_folder else folder}/{name}"
                    found[image] = Photograph(place, record["width"], record["height"])
        if not found:
            raise FridoError(
                str(path),
                got=f"none of the {len(wanted):,} images of the splits",
                wanted="image_data.json and splits of the same dataset",
                do="give the splits of these images: source.splits=FILE",
            )
        return found

    def _words(self) -> Vocabulary:
        """Return every word of the images, most common first."""
        names, attributes, predicates = Counter[str](), Counter[str](), Counter[str]()
        for text in self._graphs.values():
            graph = graphs.unpack(text)
            names.update(thing[4][0] for thing in graph.things)
            attributes.update(word for thing in graph.things for word in thing[5])
            predicates.update(told[1] for told in graph.relationships)
        return Vocabulary(_ordered(names), _ordered(attributes), _ordered(predicates))


def _ordered(counts: Counter[str]) -> tuple[str, ...]:
    return tuple(word for word, _ in counts.most_common())


def _split_ids(path: Path) -> dict[str, list[int]]:
    if not path.is_file():
        raise FridoError(str(path), got="no such file", wanted="the images of train, val and test", do=SPLITS_FROM)
    splits = records.load(path)
    if not isinstance(splits, dict) or not set(SPLITS) <= splits.keys():
        raise FridoError(
            str(path),
            got=f"keys {list(splits)[:5]}" if isinstance(splits, dict) else type(splits).__name__,
            wanted="lists of image ids under train, val and test",
            do=SPLITS_FROM,
        )
    return {split: list(dict.fromkeys(splits[split])) for split in SPLITS}
