"""One scene -> one row of a batch."""

from typing import NamedTuple

import numpy as np

from frido.contracts.geometry import WHOLE
from frido.contracts.scene import Scene, Vocabulary
from frido.data.collate import annotate, framed, ids_of, segments
from frido.data.framing.base import Coordinates, Crop, Frame
from frido.data.framing.of_crop import OfCrop
from frido.data.images import decoded
from frido.data.sources.image_node import IMAGE


class Row(NamedTuple):
    """A sample as arrays.

    Args:
        id: Of the scene.
        image: uint8 `(3, resolution, resolution)`; `None` for an annotation to be drawn.
        segmentation: int16 `(resolution, resolution)`, -1 for none; `None` where the source knows no segments.
        annotations: In the order of the fields of `Annotations`, padded.
    """

    id: str
    image: np.ndarray | None
    segmentation: np.ndarray | None
    annotations: tuple[np.ndarray, ...]

    @property
    def nbytes(self) -> int:
        """The memory of its arrays, bytes."""
        arrays = [array for array in (self.image, self.segmentation, *self.annotations) if array is not None]
        return sum(array.nbytes for array in arrays)


class Preparation:
    """Shows a square of an image, and keeps its annotations right.

    Args:
        resolution: Side of the square, pixels.
        crop: Which part of the image is shown.
        flip: Share of images that are mirrored, in [0, 1].
        coordinates: In which boxes are given.
        max_objects: Rows for objects; see `collate`.
        max_relationships: Rows for relationships.
        max_attributes: Attributes of an object that are kept, the first ones.
        max_caption: Bytes of a caption that are kept.
    """

    def __init__(
        self,
        *,
        resolution: int,
        crop: Crop,
        flip: float,
        coordinates: Coordinates,
        max_objects: int,
        max_relationships: int,
        max_attributes: int,
        max_caption: int,
    ) -> None:
        self.resolution, self.crop, self.flip, self.coordinates = resolution, crop, flip, coordinates
        self.limits = {
            "max_objects": max_objects,
            "max_relationships": max_relationships,
            "max_attributes": max_attributes,
            "max_caption": max_caption,
        }

    @property
    def fixed(self) -> bool:
        """Whether a scene always gives the same row."""
        return self.crop.fixed and self.flip in (0.0, 1.0)

    def shown(self, scene: Scene) -> Scene:
        """Return what can be seen of a scene in the part of its image that a fixed crop shows."""
        return framed(scene, self._frame(scene, np.random.default_rng(0)), OfCrop())

    def row(self, scene: Scene, vocabulary: Vocabulary, *, random: np.random.Generator) -> Row:
        """Return the row of a scene; what is drawn comes from `random`.

        Raises:
            FridoError: The image cannot be decoded, or a word is not in the vocabulary.
        """
        frame, what = self._frame(scene, random), f"image of scene {scene.id}"
        return Row(
            id=scene.id,
            image=decoded(scene.image, self.resolution, frame=frame, where=what) if scene.image else None,
            segmentation=segments(scene, vocabulary, self.resolution, frame) if scene.segmentation else None,
            annotations=annotate(
                framed(scene, frame, self.coordinates), vocabulary, frame, **with_image_node(self.limits, vocabulary)
            ),
        )

    def _frame(self, scene: Scene, random: np.random.Generator) -> Frame:
        """Return what is shown of a scene: all of one that has no image."""
        box = self.crop.box(scene.width, scene.height, random) if scene.width else WHOLE
        return Frame(box, mirrored=bool(random.random() < self.flip))


def with_image_node(limits: dict[str, int], vocabulary: Vocabulary) -> dict[str, int]:
    """Return limits with room for the image itself and every object's relationship to it, where a dataset has these."""
    if IMAGE not in ids_of(vocabulary)[0]:
        return limits
    objects, relationships = limits["max_objects"], limits["max_relationships"]
    return limits | {"max_objects": objects + 1, "max_relationships": relationships + objects}
