import pytest

from frido.contracts.errors import FridoError
from frido.contracts.scene import Object, Relationship, Scene
from frido.data.filters.image_side import ImageSide
from frido.data.filters.object_count import ObjectCount
from frido.data.filters.object_side import ObjectSide
from frido.data.filters.relationship_count import RelationshipCount


def box(left: int, top: int, width: int, height: int) -> tuple[float, float, float, float]:
    """Return a box of an image of 300 x 200 pixels."""
    return left / 300, top / 200, (left + width) / 300, (top + height) / 200


SCENE = Scene(
    "1",
    objects=(
        Object("wide", box(0, 0, 90, 31)),
        Object("dog", box(7, 11, 32, 32)),
        Object("tall", box(1, 1, 31, 90)),
        Object("cat", box(101, 51, 77, 99), ("black",)),
    ),
    relationships=(Relationship(0, "on", 1), Relationship(1, "near", 3), Relationship(3, "on", 2)),
    captions=("a cat",),
    width=300,
    height=200,
)


@pytest.mark.parametrize(("least", "stays"), [(199, True), (200, True), (201, False)])
def test_the_shorter_side_of_an_image_decides(least, stays):
    assert ImageSide(least=least)(SCENE, "val") == (SCENE if stays else None)


def test_objects_need_both_sides_and_their_relationships_follow():
    left = ObjectSide(least=32)(SCENE, "train")
    assert left is not None
    assert left.objects == (SCENE.objects[1], SCENE.objects[3]) and left.captions == SCENE.captions
    assert left.relationships == (Relationship(0, "near", 1),)


def test_a_side_of_just_so_many_pixels_is_enough_in_every_place():
    """Fractions of an image are rounded; 32 px of any image and place are 32 px."""
    for width in range(200, 1200, 7):
        for left in range(0, width - 33, 13):
            item = Object("dog", (left / width, 0.0, (left + 32) / width, 1.0))
            scene = Scene("1", objects=(item,), width=width, height=width)
            kept, gone = ObjectSide(least=32)(scene, "train"), ObjectSide(least=33)(scene, "train")
            assert kept == scene and gone is not None and gone.objects == ()


@pytest.mark.parametrize("step", [ImageSide(least=0), ObjectSide(least=0)])
def test_pixels_of_an_unknown_size_are_refused(step):
    with pytest.raises(FridoError, match=r"image 7\n.*no width and height"):
        step(Scene("7", objects=SCENE.objects), "train")


@pytest.mark.parametrize(("least", "most", "stays"), [(4, 4, True), (0, 4, True), (5, 9, False), (0, 3, False)])
def test_number_of_objects(least, most, stays):
    assert ObjectCount(least=least, most=most)(SCENE, "train") == (SCENE if stays else None)


@pytest.mark.parametrize(("least", "most", "stays"), [(3, 3, True), (0, 9, True), (4, 9, False), (0, 2, False)])
def test_number_of_relationships(least, most, stays):
    assert RelationshipCount(least=least, most=most)(SCENE, "train") == (SCENE if stays else None)


@pytest.mark.parametrize(("kind", "name"), [(ObjectCount, "object_count"), (RelationshipCount, "relationship_count")])
def test_bounds_that_nothing_fits_are_refused(kind, name):
    with pytest.raises(FridoError, match=rf"source\.filters\.{name}"):
        kind(least=4, most=3)
