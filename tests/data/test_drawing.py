"""Boxes and graphs drawn on pictures."""

import numpy as np
from PIL import Image, ImageColor

from frido.contracts.scene import Object, Relationship, Scene
from frido.data.drawing import LEAST_SIDE, boxes_on, color_of

HERE, THERE = (0.125, 0.5, 0.375, 0.875), (0.625, 0.125, 0.875, 0.375)


def pixels(scene: Scene, size: tuple[int, int] = (64, 32)) -> np.ndarray:
    return np.asarray(boxes_on(Image.new("RGB", size, "#505050"), scene)).astype(int)


def test_the_edges_of_a_box_have_its_colour_and_small_pictures_are_enlarged():
    found = pixels(Scene("s", (Object("cat", HERE),)))
    assert found.shape == (LEAST_SIDE // 2, LEAST_SIDE, 3)
    color = np.array(ImageColor.getrgb(color_of("cat")))
    rows, columns = (np.flatnonzero((found == color).all(axis=2).any(axis=axis)) for axis in (1, 0))
    assert (rows[0], rows[-1]) == (160, 279) and (columns[0], columns[-1]) == (80, 239)
    assert (found[200:240, 120:200] == 80).all()


def test_colours_are_of_words_and_no_two_of_these_are_alike():
    words = ("person", "dog", "car", "tree", "sky", "grass")
    assert [color_of(word) for word in words] == [color_of(word) for word in words]
    assert len({color_of(word) for word in words}) == len(words)


def test_arrows_lead_from_subject_to_object_and_bend_apart():
    ends = Object("cat", HERE), Object("dog", THERE)
    plain = pixels(Scene("s", ends))
    there, back = (pixels(Scene("s", ends, (Relationship(*told),))) for told in ((0, "near", 1), (1, "near", 0)))
    moved = [np.argwhere((found != plain).any(axis=2)).mean(axis=0) for found in (there, back)]
    assert (there != plain).any() and abs(moved[0][0] - moved[1][0]) > 20


def test_a_scene_of_many_objects_any_words_and_flat_boxes_can_be_drawn():
    objects = tuple(Object(f"große Katze\n{k % 7}", (k / 40, 0.2, k / 40, 0.2 + k / 60), ("red",)) for k in range(40))
    told = tuple(Relationship(k, "next to", (k * 7) % 40) for k in range(40))
    assert pixels(Scene("s", objects, told), size=(1000, 700)).shape == (700, 1000, 3)


def test_the_picture_itself_is_left_alone():
    picture = Image.new("RGB", (700, 700))
    boxes_on(picture, Scene("s", (Object("cat", HERE),)))
    assert picture.getbbox() is None
