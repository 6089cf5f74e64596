"""Layouts and labels as official ids, and the class of an image."""

import math

import pytest
import torch

from frido.conditioning.image_class import image_class
from frido.contracts.errors import FridoError
from frido.contracts.scene import Vocabulary
from tests.conditioning.given import build, scenes
from tests.denoisers import options

CROPS = torch.tensor([[0.0, 0.125, 1.0, 0.875], [0.3, 0.0, 0.8, 1.0]])


def official(annotations, row, *, max_objects, num_tokens, shift, crop):
    """Return the ids of one scene, written out by the published description."""
    cells = int(math.sqrt(num_tokens))

    def place(x, y):
        return round(y * (cells - 1)) * cells + round(x * (cells - 1)) + shift

    ids = []
    for category, (left, top, right, bottom) in zip(
        annotations.categories[row].tolist(), annotations.boxes_xyxy[row].tolist(), strict=True
    ):
        if category >= 0:
            ids += [category, place(left, top), place(right, bottom)]
    ids += [num_tokens - 1] * (3 * max_objects - len(ids))
    left, top, right, bottom = annotations.crops_xyxy[row].tolist()
    return ids + ([place(left, top), place(right, bottom)] if crop else [])


@pytest.mark.parametrize(
    "setting",
    [
        {"max_objects": 30, "num_tokens": 1024, "shift": 0, "crop": True},
        {"max_objects": 30, "num_tokens": 8192, "shift": 0, "crop": True},
        {"max_objects": 30, "num_tokens": 1024, "shift": 179, "crop": True},
        {"max_objects": 8, "num_tokens": 1024, "shift": 0, "crop": False},
    ],
)
def test_layout_ids_are_official(setting):
    conditioner = build("layout_tokens", words=30522, **setting)
    annotations = scenes(5)._replace(crops_xyxy=CROPS)
    ids, real = conditioner.tokenize(annotations)
    assert real is None
    assert ids.shape[1] == 3 * setting["max_objects"] + 2 * setting["crop"]  # 92 of 30 objects and the crop
    assert ids.tolist() == [official(annotations, row, **setting) for row in range(2)]


def test_the_crop_is_everything_of_an_image_that_is_shown_whole():
    assert build("layout_tokens").tokenize(scenes())[0][:, -2:].tolist() == [[0, 1023]] * 2


def test_empty_layout_keeps_the_crop_of_each_scene():
    conditioner, annotations = build("layout_tokens"), scenes()._replace(crops_xyxy=CROPS)
    nothing = annotations._replace(categories=torch.full((2, 3), -1))
    assert torch.equal(conditioner(nothing).tokens, conditioner.empty(annotations).tokens)
    ids = conditioner.tokenize(nothing)[0]
    assert (ids[:, :-2] == 1023).all() and not torch.equal(ids[0, -2:], ids[1, -2:])


def test_empty_layout_without_crop_is_the_same_for_all_scenes():
    empty = build("layout_tokens", crop=False).empty(scenes()._replace(crops_xyxy=CROPS)).tokens
    assert torch.equal(empty[0], empty[1])


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"words": 1024, "shift": 1}, "words"),
        ({"max_objects": 31}, "max_tokens"),
        ({"num_tokens": 3}, "num_tokens"),
        ({"max_objects": 2}, "max_objects"),
    ],
)
def test_layout_ids_without_room(changes, setting):
    with pytest.raises(FridoError, match=f"conditioning.{setting}"):
        build("layout_tokens", **changes)(scenes())


def test_label_ids_are_official():
    ids, real = build("label_tokens").tokenize(scenes())
    assert real is None
    assert ids.tolist() == [[0, 1, 0, *[1023] * 5], [2, *[1023] * 7]]


@pytest.mark.parametrize("changes", [{"padding": 2}, {"padding": 1024}, {"max_tokens": 7}])
def test_label_ids_without_room(changes):
    with pytest.raises(FridoError, match=f"conditioning.{next(iter(changes))}"):
        build("label_tokens", **changes)


def test_label_set_knows_categories_alone():
    conditioner, annotations = build("label_set"), scenes()
    other = annotations._replace(attributes=annotations.attributes.flip(1), boxes_xyxy=annotations.boxes_xyxy / 2)
    assert torch.equal(conditioner(other).tokens, conditioner(annotations).tokens)
    once = annotations._replace(categories=torch.tensor([[0, 1, -1], [2, -1, -1]]))
    assert not torch.allclose(conditioner(once).tokens[0, 0], conditioner(annotations).tokens[0, 0])


def test_class_is_that_of_the_largest_box():
    annotations = scenes(5)
    assert image_class(annotations).tolist() == [1, 2]
    assert image_class(annotations._replace(categories=torch.full((2, 5), -1))).tolist() == [-1, -1]
    whole = annotations._replace(boxes_xyxy=torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(2, 5, 4))
    assert image_class(whole).tolist() == [0, 2]  # the first of equal ones
    large = torch.tensor([0.0, 0.0, 1.0, 1.0])
    padded = annotations._replace(
        boxes_xyxy=annotations.boxes_xyxy.where(annotations.categories[..., None] >= 0, large)
    )
    assert image_class(padded).tolist() == [1, 2]
    flat = annotations._replace(boxes_xyxy=torch.zeros(2, 5, 4))
    assert image_class(flat).tolist() == [0, 2]


def test_class_vector_is_one_hot():
    conditioner = build("class_pooled")
    assert conditioner(scenes()).pooled.tolist() == [[0, 1, 0], [0, 0, 1]]
    assert conditioner.empty(scenes()).pooled.tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(("name", "official_size"), [("class", 512_512), ("class_plain", 512_000)])
def test_class_tokens_have_the_published_size(name, official_size):
    imagenet = Vocabulary(tuple(map(str, range(1000))), (), ())
    with torch.device("meta"):
        made = options.make(options.node("conditioning", name) | {"width": 512})(vocabulary=imagenet)
    assert sum(parameter.numel() for parameter in made.parameters()) == official_size


@pytest.mark.parametrize("name", ["class", "class_plain"])
def test_no_object_is_no_class(name):
    conditioner = build(name)
    nothing = scenes()._replace(categories=torch.full((2, 3), -1))
    assert torch.equal(conditioner(nothing).tokens, conditioner.empty(scenes()).tokens)
