"""What crops and flips do to boxes, relationships and words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frido.contracts.geometry import PREDICATES, WHOLE, predicate_between
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.collate import annotate, framed
from frido.data.framing.base import Frame
from frido.data.framing.centre import Centre
from frido.data.framing.mirror import exchanged_words
from frido.data.framing.of_crop import OfCrop
from frido.data.framing.of_image import OfImage
from frido.data.framing.random_1d import Random1d
from frido.data.framing.random_2d import Random2d
from tests.denoisers import options

CROPS = options.names("crop")
LIMITS = {"max_objects": 4, "max_relationships": 4, "max_attributes": 2, "max_caption": 64}
LEFT_HALF, RIGHT_HALF = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)


def crop(name: str):
    """Return an option of conf/crop; shortest sides are 16 px."""
    made = options.node("crop", name)
    return options.make({key: 16 if key == "least" else value for key, value in made.items()})


def frames(name: str, width: int, height: int, *, mirrored: bool, count: int, seed: int = 0) -> list[Frame]:
    random = np.random.default_rng(seed)
    return [Frame(crop(name).box(width, height, random), mirrored) for _ in range(count)]


def mirror(scene: Scene) -> Scene:
    return framed(scene, Frame(WHOLE, mirrored=True), OfCrop())


sizes = st.tuples(st.integers(1, 700), st.integers(1, 700))
edges = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)
boxes = st.tuples(edges, edges).map(lambda found: (found[0][0], found[1][0], found[0][1], found[1][1]))
fields = st.tuples(st.sampled_from(CROPS), sizes, st.booleans(), st.integers(0, 99))


@given(fields)
def test_crops_lie_in_the_image_and_all_but_whole_are_square(drawn):
    name, (width, height), _, seed = drawn
    (left, top, right, bottom), _ = frames(name, width, height, mirrored=False, count=1, seed=seed)[0]
    assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
    if name != "whole":
        assert (right - left) * width == pytest.approx((bottom - top) * height)


@pytest.mark.parametrize("name", CROPS)
def test_fixed_crops_draw_nothing_and_the_others_say_so(name):
    random = np.random.default_rng(0)
    before = random.bit_generator.state
    crop(name).box(90, 60, random)
    assert (random.bit_generator.state == before) == crop(name).fixed
    first, again = (frames(name, 90, 60, mirrored=False, count=20) for _ in range(2))
    assert first == again and (len(set(first)) == 1) == crop(name).fixed


@pytest.mark.parametrize(("width", "height", "axis"), [(96, 64, 0), (64, 96, 1)])
def test_every_place_along_the_longer_side_is_as_likely(width, height, axis):
    random, made = np.random.default_rng(1), Random1d()
    drawn = np.array([made.box(width, height, random) for _ in range(6600)])
    places = drawn[:, axis] * 96
    counts = np.bincount(places.round().astype(int), minlength=33)
    assert np.allclose(places, places.round()) and len(counts) == 33
    assert np.abs(counts - 200).max() < 5 * 200**0.5
    assert (drawn[:, 1 - axis] == 0).all() and (drawn[:, 3 - axis] == 1).all()


def test_every_size_of_a_square_is_as_likely_and_never_below_the_least():
    random, made = np.random.default_rng(1), Random2d(least=40)
    drawn = np.array([made.box(100, 60, random) for _ in range(4200)])
    sides = ((drawn[:, 2] - drawn[:, 0]) * 100).round().astype(int)
    counts = np.bincount(sides)
    assert counts.nonzero()[0].tolist() == list(range(40, 61)) and np.abs(counts[40:] - 200).max() < 5 * 200**0.5
    assert drawn.min(axis=0)[:2].tolist() == [0, 0] and drawn.max(axis=0)[2:].tolist() == [1, 1]


def test_an_image_smaller_than_the_least_is_cut_as_little_as_can_be():
    (left, top, right, bottom) = Random2d(least=40).box(30, 20, np.random.default_rng(0))
    assert right - left == pytest.approx(20 / 30) and (top, bottom) == (0, 1)


@given(fields, boxes)
def test_new_boxes_are_boxes_and_both_coordinates_mean_the_same_place(drawn, box):
    name, (width, height), mirrored, seed = drawn
    (frame,) = frames(name, width, height, mirrored=mirrored, count=1, seed=seed)
    of_crop, of_image = OfCrop().box(box, frame), OfImage().box(box, frame)
    assert (of_crop is None) == (of_image is None)
    if of_crop is None:
        return
    assert all(0 <= of_crop[axis] <= of_crop[axis + 2] <= 1 for axis in (0, 1))
    assert all(0 <= of_image[axis] <= of_image[axis + 2] <= 1 for axis in (0, 1))
    for edge in range(4):
        low, high = frame.crop[edge % 2], frame.crop[edge % 2 + 2]
        inside = min(1, max(0, (of_image[edge] - low) / (high - low)))
        assert of_crop[edge] == pytest.approx(inside, abs=1e-9)


@pytest.mark.parametrize("coordinates", options.names("coordinates"))
def test_objects_outside_are_dropped_with_their_relationships(coordinates):
    left, middle, right = (Object(name, (x, 0.0, x + 0.25, 1.0)) for name, x in (("a", 0.0), ("b", 0.5), ("c", 0.75)))
    told = Relationship(0, "near", 1), Relationship(2, "near", 1), Relationship(1, "on", 2)
    scene = Scene("s", (left, middle, right), told, width=200, height=100)
    found = framed(scene, Frame(RIGHT_HALF, mirrored=False), options.build("coordinates", coordinates))
    assert [item.category for item in found.objects] == ["b", "c"]
    assert found.relationships == (Relationship(1, "near", 0), Relationship(0, "on", 1))
    assert (found.width, found.height) == (100, 100)


def test_boxes_of_the_image_stay_whole_and_boxes_of_the_crop_end_with_it():
    scene = Scene("s", (Object("a", (0.25, 0.0, 0.75, 1.0)),), width=200, height=100)
    for mirrored, seen in ((False, LEFT_HALF), (True, RIGHT_HALF)):
        frame = Frame(RIGHT_HALF, mirrored)
        assert framed(scene, frame, OfCrop()).objects[0].box == seen
        assert framed(scene, frame, OfImage()).objects[0].box == (0.25, 0.0, 0.75, 1.0)


def test_a_mirrored_crop_lies_on_the_other_side_of_the_mirror_image():
    frame = Frame((0.0, 0.25, 0.5, 0.75), mirrored=True)
    *_, crop_xyxy, mirrored = annotate(Scene("s"), Vocabulary((), (), ()), frame, **LIMITS)
    assert crop_xyxy.tolist() == [0.5, 0.25, 1.0, 0.75] and crop_xyxy.dtype == np.float32
    assert mirrored.shape == () and mirrored.dtype == bool and mirrored


def test_what_geometry_says_after_a_flip_is_what_the_flip_says():
    random = np.random.default_rng(0)
    for _ in range(300):
        corners = np.sort(random.random((2, 2, 2)), axis=1).reshape(2, 4)
        one, other = (tuple(float(edge) for edge in box) for box in corners)
        scene = Scene("s", (Object("a", one), Object("b", other)), (Relationship(0, predicate_between(one, other), 1),))
        turned = mirror(scene)
        assert turned.relationships[0].predicate == predicate_between(*(item.box for item in turned.objects))
        back = mirror(turned)
        assert back.relationships == scene.relationships
        assert np.allclose([item.box for item in back.objects], [one, other])


@pytest.mark.parametrize(
    ("text", "turned"),
    [
        ("left of", "right of"),
        ("to the LEFT of", "to the RIGHT of"),
        ("on right side of", "on left side of"),
        ("inside_left_of", "inside_right_of"),
        ("Left-hand man, rightmost dog", "Right-hand man, leftmost dog"),
        ("a left, a right", "a right, a left"),
        ("a bright copyright cleft leftovers", "a bright copyright cleft leftovers"),
        ("above", "above"),
    ],
)
def test_words_in_a_mirror(text, turned):
    assert exchanged_words(text) == turned and exchanged_words(turned) == text


def test_captions_attributes_and_predicates_are_mirrored_and_categories_are_not():
    arm = Object("left arm", LEFT_HALF, ("left", "red"))
    scene = Scene("s", (arm, arm), (Relationship(0, "on left side of", 1),), ("a cat left of a dog", "right"))
    turned = mirror(scene)
    assert turned.captions == ("a cat right of a dog", "left")
    assert turned.relationships[0].predicate == "on right side of"
    assert turned.objects[0] == Object("left arm", RIGHT_HALF, ("right", "red"))


def test_what_the_vocabulary_cannot_say_of_a_mirrored_scene_is_left_out():
    words = Vocabulary(("a",), ("left", "red"), ("on left side of", "near"))
    item = Object("a", WHOLE, ("left", "red"))
    scene = Scene("s", (item, item), (Relationship(0, "on left side of", 1), Relationship(1, "near", 0)))
    frame = Frame(WHOLE, mirrored=True)
    _, attributes, _, relationships, *_ = annotate(framed(scene, frame, OfCrop()), words, frame, **LIMITS)
    assert attributes[:2].tolist() == [[1, -1], [1, -1]]
    assert relationships[:2].tolist() == [[1, 1, 0], [-1, -1, -1]]


def test_the_predicates_of_geometry_are_closed_under_mirroring():
    assert {exchanged_words(word) for word in PREDICATES} == set(PREDICATES)


def test_a_scene_without_an_image_is_shown_whole():
    assert Centre().box(0, 0, np.random.default_rng(0)) == WHOLE
