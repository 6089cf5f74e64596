"""What COCO's reader is made of: streamed JSON, masks, geometric relationships, filters."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask

from frido.contracts.errors import FridoError
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.filters.caption_characters import WithoutCharacters
from frido.data.filters.captioned import Captioned
from frido.data.filters.categories import Merged, Only, Without
from frido.data.filters.crowds import Gathered, WithoutCrowds
from frido.data.filters.image_list import ImageList
from frido.data.filters.in_splits import InSplits
from frido.data.filters.object_area import AreaAbove
from frido.data.filters.object_count import ObjectCount
from frido.data.relations.geometric import GeometricRelations, between
from frido.data.sources import coco_json, coco_masks
from frido.data.sources.coco_json import CocoJson

CONTENT = {
    "info": {"year": 2017, "description": 'a "b", [c]'},
    "type": "captions",
    "number": 12345,
    "images": [{"id": 1, "file_name": "ä.jpg"}, {"id": 2, "file_name": "é]}"}],
    "annotations": [],
    "categories": [{"id": 1, "name": "naïve", "deep": {"list": [1.5, -2e3, [None, True]]}}],
}


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 4096])
@pytest.mark.parametrize("layout", [{"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":")}])
def test_streamed_records_are_those_of_json(tmp_path, monkeypatch, chunk, layout):
    monkeypatch.setattr(coco_json, "CHUNK", chunk)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(CONTENT, **layout) + "\n", encoding="utf-8")
    file = CocoJson(path)
    found = list(file.records())
    for key, value in CONTENT.items():
        assert [record.value for record in found if record.key == key] == (
            value if isinstance(value, list) else [value]
        )
    assert all(file.at(record.start, record.length) == record.value for record in found)
    assert len(file.sha256) == 64


@pytest.mark.parametrize(
    "text", ["", "[]", '{"images": [{"id": 1}', '{"images": [{"id": ]}', '{"images" [1]}', "{1: 2"]
)
def test_what_is_no_json_is_named(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FridoError, match=r"a\.json\n.*no JSON"):
        list(CocoJson(tmp_path / "a.json").records())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_run_lengths_as_numbers_and_packed(height, width, seed):
    covered = np.random.default_rng(seed).random((height, width)) < 0.5
    column_major = covered.ravel(order="F").tolist()
    counts, now = [0], False
    for pixel in column_major:
        if pixel != now:
            counts.append(0)
            now = pixel
        counts[-1] += 1
    packed = mask.encode(np.asfortranarray(covered, dtype=np.uint8))["counts"].decode()
    for code in (counts, packed):
        found = coco_masks.pixels({"counts": code, "size": [height, width]}, width, height, "")
        assert np.array_equal(found, covered)


def test_polygons():
    square = [2.0, 1.0, 6.0, 1.0, 6.0, 4.0, 2.0, 4.0]
    other = [8.0, 6.0, 10.0, 6.0, 10.0, 8.0, 8.0, 8.0]
    expected = np.zeros((9, 12), bool)
    expected[1:4, 2:6] = True
    assert np.array_equal(coco_masks.pixels([square], 12, 9, ""), expected)
    expected[6:8, 8:10] = True
    assert np.array_equal(coco_masks.pixels([square, other, [1.0, 1.0, 5.0, 5.0]], 12, 9, ""), expected)
    assert not coco_masks.pixels([], 12, 9, "").any()


@pytest.mark.parametrize(
    "code",
    [{"counts": [5], "size": [2, 3]}, {"counts": [6], "size": [3, 2]}, {"size": [2, 3]}, None, [["a"] * 6], "abc", [3]],
)
def test_what_is_no_mask_is_named(code):
    with pytest.raises(FridoError, match=r"some\.json, byte 7"):
        coco_masks.pixels(code, 3, 2, "some.json, byte 7")


def test_the_centre_of_a_mask():
    covered = np.zeros((4, 10), bool)
    covered[1, 2:6] = True
    assert coco_masks.centre(covered, (0.0, 0.0, 1.0, 1.0)) == pytest.approx((0.4, 0.375))
    assert coco_masks.centre(np.zeros((4, 10), bool), (0.0, 0.0, 0.5, 1.0)) == (0.25, 0.5)


WIDE, INNER = (0.1, 0.1, 0.9, 0.9), (0.2, 0.2, 0.8, 0.8)


@pytest.mark.parametrize(
    ("degrees", "predicate"),
    [
        (0, "right of"),
        (44, "right of"),
        (45, "below"),
        (90, "below"),
        (134, "below"),
        (135, "left of"),
        (180, "left of"),
        (-180, "left of"),
        (-135, "left of"),
        (-134, "above"),
        (-90, "above"),
        (-46, "above"),
        (-45, "right of"),
    ],
)
def test_directions_between_centres(degrees, predicate):
    """Of the subject as seen from the object, y downwards; the boxes say nothing here."""
    x, y = (round(math.sqrt(2) * edge(math.radians(degrees)), 12) for edge in (math.cos, math.sin))
    boxes = [(0.1, 0.1, 0.5, 0.5), (0.3, 0.3, 0.7, 0.7)]
    assert between(boxes, [(x / 4, y / 4), (0.0, 0.0)], 0, 1) == predicate
    assert between(boxes[::-1], [(0.0, 0.0), (x / 4, y / 4)], 1, 0) == predicate


def test_containment_comes_first_and_is_strict():
    centres = [(0.1, 0.5), (0.9, 0.5)]
    assert between([WIDE, INNER], centres, 0, 1) == "surrounding"
    assert between([WIDE, INNER], centres, 1, 0) == "inside"
    assert between([WIDE, (0.1, 0.2, 0.8, 0.8)], centres, 0, 1) == "left of"
    assert between([WIDE, WIDE], centres, 1, 0) == "right of"


def test_every_object_has_another_drawn_for_it():
    relate = GeometricRelations(seed=0)
    boxes = [(k / 10, 0.0, (k + 1) / 10, 0.1) for k in range(5)]
    centres = [(k / 10 + 0.05, 0.05) for k in range(5)]
    subjects, partners = 0, set()
    for image in range(200):
        told = relate(image, boxes, centres)
        assert told == relate(image, boxes, centres) and len(told) == 5
        for row, relationship in enumerate(told):
            ends = {relationship.subject, relationship.object}
            assert row in ends and len(ends) == 2
            assert relationship.predicate == ("left of" if relationship.subject < relationship.object else "right of")
            subjects += relationship.subject == row
            partners |= {(row, *(ends - {row}))}
    assert 400 < subjects < 600 and len(partners) == 20
    assert relate(7, boxes, centres) != GeometricRelations(seed=1)(7, boxes, centres)
    assert relate(7, boxes[:1], centres[:1]) == () == relate(7, [], [])


def scene(*objects: Object, **changes) -> Scene:
    return Scene(**({"id": "7", "objects": objects, "width": 640, "height": 480} | changes))


def box(width: int, height: int, left: int = 101, top: int = 53) -> tuple[float, float, float, float]:
    """Return a box of whole pixels in an image of 640 x 480."""
    return left / 640, top / 480, (left + width) / 640, (top + height) / 480


def test_areas_at_the_limit():
    """96 x 64 of 640 x 480 pixels is 0.02 of the image, and not more."""
    for left in range(0, 500, 7):
        for top in range(0, 400, 13):
            exact, more = Object("a", box(96, 64, left, top)), Object("b", box(97, 64, left, top))
            less = Object("c", box(95, 64, left, top))
            assert AreaAbove(share=0.02)(scene(exact, more, less), "train").objects == (more,)


def test_relationships_follow_the_objects_that_stay():
    small, large = Object("a", (0.0, 0.0, 0.1, 0.1)), Object("b", (0.0, 0.0, 1.0, 1.0))
    whole = scene(small, large, large, relationships=(Relationship(0, "on", 1), Relationship(2, "under", 1)))
    assert AreaAbove(share=0.5)(whole, "train").relationships == (Relationship(1, "under", 0),)


WORDS = Vocabulary(("man", "dog", "person", "woman"), (), ())


def test_categories():
    people = scene(*(Object(word, (0.0, 0.0, 1.0, 1.0)) for word in ("woman", "dog", "person")))

    def left(step):
        return step.words(WORDS).categories, [item.category for item in step(people, "train").objects]

    assert left(Without(names=["dog", "man"])) == (("person", "woman"), ["woman", "person"])
    assert left(Only(names=["woman", "dog"])) == (("woman", "dog"), ["woman", "dog"])
    merged = Merged(names={"man": "person", "woman": "person", "dog": "animal"})
    assert left(merged) == (("person", "animal"), ["person", "animal", "person"])
    with pytest.raises(FridoError, match="such as person"):
        Without(names=["persn"]).words(WORDS)


def test_crowds():
    people = scene(
        Gathered("a", (0.0, 0.0, 1.0, 1.0), crowd=True),
        Gathered("b", (0.0, 0.0, 1.0, 1.0)),
        Object("c", (0.0, 0.0, 1.0, 1.0)),
    )
    assert [item.category for item in WithoutCrowds()(people, "val").objects] == ["b", "c"]


def test_lists_of_images(tmp_path):
    (tmp_path / "ids.txt").write_text("000000000007\r\n42\n\n000b87119cc301cf\n0\n")
    step = ImageList(files={"train": str(tmp_path / "ids.txt"), "val": None})
    found = {name: step(scene(id=name), "train") is not None for name in ("7", "42", "8", "000b87119cc301cf", "000000")}
    assert found == {"7": True, "42": True, "8": False, "000b87119cc301cf": True, "000000": True}
    assert step(scene(id="8"), "val") and step(scene(id="8"), "test")
    (tmp_path / "empty.txt").write_text("\n")
    for name, match in (("none.txt", "none"), ("empty.txt", "no ids")):
        with pytest.raises(FridoError, match=match):
            ImageList(files={"train": str(tmp_path / name)})


def test_rules_for_some_splits():
    step = InSplits(splits=["val"], filter=ObjectCount(least=1, most=2))
    assert step(scene(), "val") is None and step(scene(), "train") is not None


def test_captions():
    said = scene(captions=(" A dog. U.S. ", "b"))
    assert WithoutCharacters(characters=".")(said, "train").captions == ("A dog US", "b")
    assert Captioned()(said, "train") is said and Captioned()(scene(), "train") is None
