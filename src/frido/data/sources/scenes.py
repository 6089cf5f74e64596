"""A seeded procedural renderer of annotated scenes: coloured, textured shapes that hide each other in part."""

import math
from dataclasses import replace

import numpy as np

from frido.contracts.errors import FridoError
from frido.contracts.geometry import PREDICATES, near, predicate_between
from frido.contracts.philox import generator
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.encoding import png
from frido.data.sources.render import SUPERSAMPLE, Placed, background, draw, segment, silhouette
from frido.data.sources.words import COLOURS, DIAMETERS, SHAPES, SIZES, TEXTURES

RENDERER = 1
"""Raised whenever the same seed gives other scenes, so that packed copies of the old ones are not taken for new."""

VOCABULARY = Vocabulary(SHAPES, (*COLOURS, *SIZES, *TEXTURES), PREDICATES)

_TRIES_A_SHAPE, _TRIES_A_SCENE = 40, 100


class Scenes:
    """Scene `index` of a split is a pure function of `(seed, split, index)`; the split is part of the random key.

    An object's category is its shape and its attributes are `(colour, size, texture)`. Boxes are those of whole
    silhouettes, hidden parts included, exact to a quarter pixel; `visible` is the share of the silhouette's
    area that later objects leave uncovered. Objects come back to front. Every object has one other drawn for it,
    and the pair gets the geometric predicate that holds between their boxes, and `near` where that holds too.

    Args:
        resolution: Side of the square image, pixels, 32 to 256.
        min_objects: Fewest objects in a scene.
        max_objects: Most objects in a scene; the number is uniform in between.
        min_size: Smallest diameter as a fraction of the side; up to 0.28 is "small", from 0.36 "large".
        max_size: Largest diameter; nothing is drawn between 0.28 and 0.36.
        min_visible: Every object keeps at least this share of its area visible, in [0, 1].
        seed: Of the whole world of scenes.
        segmentation: Whether scenes say what each pixel belongs to; their images do not depend on it.
    """

    def __init__(
        self,
        *,
        resolution: int,
        min_objects: int,
        max_objects: int,
        min_size: float,
        max_size: float,
        min_visible: float,
        seed: int,
        segmentation: bool = False,
    ) -> None:
        if not 32 <= resolution <= 256:
            raise FridoError(
                "scenes.resolution", got=resolution, wanted="32 to 256 pixels", do="choose a size in between"
            )
        if not 1 <= min_objects <= max_objects:
            raise FridoError(
                "scenes.min_objects, max_objects",
                got=(min_objects, max_objects),
                wanted="1 <= min_objects <= max_objects",
                do="raise scenes.max_objects or lower scenes.min_objects",
            )
        if not 0 <= min_visible <= 1:
            raise FridoError("scenes.min_visible", got=min_visible, wanted="a share in [0, 1]", do="try 0.5")
        self.resolution = resolution
        self.min_objects = min_objects
        self.max_objects = max_objects
        self.min_visible = min_visible
        self.segmentation = segmentation
        self.seed = seed
        self.diameters = {
            word: (max(low, min_size), min(high, max_size))
            for word, (low, high) in DIAMETERS.items()
            if max(low, min_size) <= min(high, max_size)
        }
        if not self.diameters or not min_size >= 0.1 or not max_size <= 0.9:
            raise FridoError(
                "scenes.min_size, max_size",
                got=(min_size, max_size),
                wanted="0.1 <= min_size <= max_size <= 0.9, reaching below 0.28 (small) or above 0.36 (large)",
                do="try min_size: 0.2, max_size: 0.5",
            )

    @property
    def vocabulary(self) -> Vocabulary:
        return VOCABULARY

    def scene(self, split: str, index: int) -> Scene:
        """Return scene `index` of `split`, its image encoded as PNG.

        Raises:
            FridoError: When that many objects of that size cannot be placed with `min_visible`.
        """
        random = self._random(split, index)
        items = self._arrange(random)
        image = draw(items, background(random, self.resolution))
        objects = tuple(self._annotate(item) for item in items)
        relationships = _relate(random, objects)
        return Scene(
            id=f"{split}-{index:07d}",
            objects=objects,
            relationships=relationships,
            captions=(_caption(objects, relationships),),
            image=png(np.asarray(image)),
            width=self.resolution,
            height=self.resolution,
            segmentation=png(segment(items, SHAPES, self.resolution)) if self.segmentation else b"",
        )

    def silhouettes(self, split: str, index: int) -> tuple[Placed, ...]:
        """Return the placed silhouettes of a scene, back to front, on the supersampled canvas."""
        return tuple(self._arrange(self._random(split, index)))

    def _random(self, split: str, index: int) -> np.random.Generator:
        # Philox streams of different keys are independent: splits cannot share a scene by an accident of seeds.
        return generator(self.seed, index, f"scenes/{split}")

    def _arrange(self, random: np.random.Generator) -> list[Placed]:
        count = int(random.integers(self.min_objects, self.max_objects + 1))
        for _ in range(_TRIES_A_SCENE):
            items: list[Placed] = []
            while len(items) < count:
                more = self._place(random, items)
                if more is None:
                    break
                items = more
            if len(items) == count:
                return items
        raise FridoError(
            "scenes",
            got=f"no way found to place {count} objects that stay visible by {self.min_visible}",
            wanted="objects that fit",
            do="lower scenes.max_objects, scenes.max_size or scenes.min_visible",
        )

    def _place(self, random: np.random.Generator, items: list[Placed]) -> list[Placed] | None:
        """Return `items` with one more in front, or `None` when it would hide too much every time."""
        side = self.resolution * SUPERSAMPLE
        size = tuple(self.diameters)[int(random.integers(len(self.diameters)))]
        diameter = round(random.uniform(*self.diameters[size]) * side)
        shape = SHAPES[int(random.integers(len(SHAPES)))]
        whole = silhouette(shape, diameter)
        mask = np.asarray(whole.crop(whole.getbbox())) > 0
        front = Placed(
            shape=shape,
            colour=COLOURS[int(random.integers(len(COLOURS)))],
            size=size,
            texture=TEXTURES[int(random.integers(len(TEXTURES)))],
            left=0,
            top=0,
            mask=mask,
            seen=mask,
            diameter=diameter,
            angle=math.pi / 4 * int(random.integers(4)),
            shade=random.uniform(0.92, 1.04),
        )
        for _ in range(_TRIES_A_SHAPE):
            left = int(random.integers(side - mask.shape[1] + 1))
            top = int(random.integers(side - mask.shape[0] + 1))
            front = replace(front, left=left, top=top)
            hidden = [replace(item, seen=item.behind(front)) for item in items]
            if all(item.visible >= self.min_visible for item in hidden):
                return [*hidden, front]
        return None

    def _annotate(self, item: Placed) -> Object:
        side = self.resolution * SUPERSAMPLE
        box = (item.left / side, item.top / side, item.right / side, item.bottom / side)
        return Object(item.shape, box, (item.colour, item.size, item.texture), item.visible)


def _relate(random: np.random.Generator, objects: tuple[Object, ...]) -> tuple[Relationship, ...]:
    """Draw one other object for each, as sg2im does; every pair is told once, from a side drawn by a coin."""
    pairs: dict[frozenset[int], tuple[int, int]] = {}
    for first in range(len(objects) if len(objects) > 1 else 0):
        second = (first + 1 + int(random.integers(len(objects) - 1))) % len(objects)
        pair = (first, second) if random.random() < 0.5 else (second, first)
        pairs.setdefault(frozenset(pair), pair)
    told = []
    for subject, object_ in pairs.values():
        boxes = objects[subject].box, objects[object_].box
        told.append(Relationship(subject, predicate_between(*boxes), object_))
        if near(*boxes):
            told.append(Relationship(subject, "near", object_))
    return tuple(told)


def _caption(objects: tuple[Object, ...], relationships: tuple[Relationship, ...]) -> str:
    names = [
        f"{size} {colour} {texture} {item.category}" for item in objects for colour, size, texture in [item.attributes]
    ]
    things = ", ".join(f"a {name}" for name in names)
    places = [f"the {names[r.subject]} is {r.predicate} the {names[r.object]}" for r in relationships[:1]]
    return "; ".join([things, *places])
