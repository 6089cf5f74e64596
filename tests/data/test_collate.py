import io

import numpy as np
import pytest
import torch
from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.collate import at_most
from frido.data.encoding import Storing, packed

WHOLE = (0.0, 0.0, 1.0, 1.0)
WORDS = Vocabulary(("cat", "dog", "mat"), ("red", "big"), ("on", "near"))
LIMITS = {"resolution": 8, "max_objects": 3, "max_relationships": 2, "max_attributes": 1, "max_caption": 24}
KEEP = Storing(image_size=None, image_format="keep", quality=95)


@pytest.fixture
def collate(make_reading):
    """Return what makes a batch of scenes that are read in their order."""
    reading = make_reading(**LIMITS)
    return lambda scenes: reading.collate(scenes, WORDS, torch.arange(len(scenes)))


def encoded(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels, options.pop("mode", None)).save(file, options.pop("format", "PNG"), **options)
    return file.getvalue()


def scene(**changes) -> Scene:
    objects = (Object("cat", (0.0, 0.0, 0.5, 0.5), ("big", "red")), Object("mat", (0.25, 0.5, 1.0, 1.0)))
    return Scene(**({"id": "a", "objects": objects, "relationships": (Relationship(0, "on", 1),)} | changes))


def test_words_become_ids_and_the_rest_is_padding(make_reading):
    scenes = [scene(), scene(id="b", relationships=())]
    batch = make_reading(**LIMITS).collate(scenes, WORDS, torch.tensor([7, 9]))
    found = batch.annotations
    assert found.categories.tolist() == [[0, 2, -1]] * 2
    assert found.attributes.tolist() == [[[1], [-1], [-1]]] * 2
    assert found.relationships.tolist() == [[[0, 0, 1], [-1] * 3], [[-1] * 3] * 2]
    assert found.boxes_xyxy[0].tolist() == [[0, 0, 0.5, 0.5], [0.25, 0.5, 1, 1], [0, 0, 0, 0]]
    assert found.crops_xyxy.tolist() == [list(WHOLE)] * 2 and found.mirrored.tolist() == [False] * 2
    assert batch.images is None and batch.ids == ("a", "b")
    assert batch.positions.tolist() == [7, 9] and batch.valid.all()


def test_images_are_in_minus_one_to_one(collate):
    white, black = (encoded(np.full((8, 8, 3), value, np.uint8)) for value in (255, 0))
    size = {"width": 8, "height": 8}
    batch = collate([scene(image=white, **size), scene(image=black, **size)])
    assert batch.images.dtype == torch.float32 and batch.images.shape == (2, 3, 8, 8)
    assert (batch.images[0] == 1).all() and (batch.images[1] == -1).all()


def test_wide_images_are_cropped_in_the_middle_and_boxes_follow(collate):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, 8:24, 0] = 255  # the middle square is red
    wide = scene(
        image=encoded(pixels),
        width=32,
        height=16,
        objects=(
            Object("cat", (0.25, 0.0, 0.5, 1.0)),  # the left half of the middle
            Object("dog", (0.0, 0.0, 0.25, 1.0)),  # outside
            Object("mat", (0.5, 0.5, 1.0, 1.0)),  # half outside
        ),
        relationships=(Relationship(0, "on", 2), Relationship(1, "near", 0)),
    )
    batch = collate([wide])
    inner = batch.images[0, :, :, 1:-1]  # resampling mixes a little across the edges of the square
    assert (inner[0] == 1).all() and (inner[1:] == -1).all() and batch.images[0, 0].min() > 0.8
    assert batch.annotations.categories.tolist() == [[0, 2, -1]]
    assert batch.annotations.boxes_xyxy[0, :2].tolist() == [[0, 0, 0.5, 1], [0.5, 0.5, 1, 1]]
    assert batch.annotations.relationships.tolist() == [[[0, 0, 1], [-1] * 3]]
    assert batch.annotations.crops_xyxy.tolist() == [[0.25, 0, 0.75, 1]]


def test_tall_images_too(collate):
    tall = scene(width=10, height=20, objects=(Object("cat", (0.0, 0.25, 1.0, 0.5)),), relationships=())
    assert collate([tall]).annotations.boxes_xyxy[0, 0].tolist() == [0, 0, 1, 0.5]


def test_objects_in_relationships_are_kept_first():
    crowded = scene(
        objects=tuple(Object(name, WHOLE) for name in ("cat", "dog", "dog", "mat")),
        relationships=(Relationship(3, "on", 2),),
    )
    kept = at_most(crowded, 2)
    assert [item.category for item in kept.objects] == ["dog", "mat"]
    assert kept.relationships == (Relationship(1, "on", 0),)
    assert at_most(crowded, 3).objects[0].category == "cat"


def test_unknown_words_name_the_nearest(collate):
    with pytest.raises(FridoError, match=r"'cap'(.|\n)*try cat"):
        collate([scene(objects=(Object("cap", WHOLE),), relationships=())])


def test_an_undecodable_image_names_the_scene(collate):
    broken = scene(image=b"\x89PNG\r\n\x1a\nnothing", width=8, height=8)
    with pytest.raises(FridoError, match="scene a"):
        collate([broken])


def test_smaller_copies_of_an_image_are_welcome_and_other_images_not():
    image = encoded(np.zeros((30, 40, 3), np.uint8))
    assert packed(scene(image=image, width=800, height=600), storing=KEEP, where="here").width == 40
    with pytest.raises(FridoError, match="proportions"):
        packed(scene(image=image, width=600, height=600), storing=KEEP, where="here")
