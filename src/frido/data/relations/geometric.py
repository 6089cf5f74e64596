"""Relationships where nobody annotated any."""

from collections.abc import Sequence

from frido.contracts.geometry import PREDICATES, Box, predicate_between
from frido.contracts.philox import generator
from frido.contracts.scene import Relationship

Point = tuple[float, float]

CONTAINMENT = ("inside", "surrounding")


class GeometricRelations:
    """Where objects lie to each other, as in sg2im (google/sg2im, `sg2im/data/coco.py`; Johnson et al., 2018).

    Every object has one other drawn for it, and a coin says which of the two is the subject: an image of `n > 1`
    objects gets `n` relationships, a pair perhaps twice. One box strictly inside the other decides first, else the
    direction between the centres of the masks, both as fractions of the image.

    sg2im draws anew each time it loads an image. Here it is drawn once, at packing, by a generator keyed by the seed
    and the image's id, whichever process packs it. sg2im measures a centre on a mask of 16 x 16 cells, we on
    all pixels.

    Args:
        seed: Of the draws.
    """

    predicates = tuple(name for name in PREDICATES if name != "near")

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def __call__(self, image: int, boxes: Sequence[Box], centres: Sequence[Point]) -> tuple[Relationship, ...]:
        """Return the relationships of an image.

        Args:
            image: Its id.
            boxes: Of its objects, as fractions of the image.
            centres: `(x, y)` of the objects' masks, as fractions of the image.
        """
        if len(boxes) < 2:
            return ()
        random = generator(self.seed, image, "geometric relations")
        told = []
        for first in range(len(boxes)):
            second = (first + 1 + int(random.integers(len(boxes) - 1))) % len(boxes)
            subject, object_ = (first, second) if random.random() < 0.5 else (second, first)
            told.append(Relationship(subject, between(boxes, centres, subject, object_), object_))
        return tuple(told)


def between(boxes: Sequence[Box], centres: Sequence[Point], subject: int, object_: int) -> str:
    """Return the predicate that holds of two objects, given by their places."""
    name = predicate_between(boxes[subject], boxes[object_])
    if name in CONTAINMENT:
        return name
    ends = [(x, y, x, y) for x, y in (centres[subject], centres[object_])]
    return predicate_between(*ends)  # of boxes without an extent: neither surrounds the other
