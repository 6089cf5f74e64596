import io

import numpy as np
import pytest
import torch
from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.scene import Object, Relationship, Scene, Vocabulary
from frido.data.collate import at_most, collate, square
from frido.data.images import packed

WHOLE = (0.0, 0.0, 1.0, 1.0)
WORDS = Vocabulary(("cat", "dog", "mat"), ("red", "big"), ("on", "near"))
LIMITS = {"resolution": 8, "max_objects": 3, "max_relationships": 2, "max_attributes": 1, "max_caption": 24}


def encoded(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels, options.pop("mode", None)).save(file, options.pop("format", "PNG"), **options)
    return file.getvalue()


def scene(**changes) -> Scene:
    objects = (Object("cat", (0.0, 0.0, 0.5, 0.5), ("big", "red")), Object("mat", (0.25, 0.5, 1.0, 1.0)))
    return Scene(**({"id": "a", "objects": objects, "relationships": (Relationship(0, "on", 1),)} | changes))


def test_words_become_ids_and_the_rest_is_padding():
    batch = collate([scene(), scene(id="b", relationships=())], WORDS, positions=torch.tensor([7, 9]), **LIMITS)
    found = batch.annotations
    assert found.categories.tolist() == [[0, 2, -1]] * 2
    assert found.attributes.tolist() == [[[1], [-1], [-1]]] * 2
    assert found.relationships.tolist() == [[[0, 0, 1], [-1] * 3], [[-1] * 3] * 2]
    assert found.boxes_xyxy[0].tolist() == [[0, 0, 0.5, 0.5], [0.25, 0.5, 1, 1], [0, 0, 0, 0]]
    assert batch.images is None and batch.ids == ("a", "b")
    assert batch.positions.tolist() == [7, 9] and batch.valid.all()


def test_images_are_in_minus_one_to_one():
    white, black = (encoded(np.full((8, 8, 3), value, np.uint8)) for value in (255, 0))
    size = {"width": 8, "height": 8}
    batch = collate(
        [scene(image=white, **size), scene(image=black, **size)], WORDS, positions=torch.arange(2), **LIMITS
    )
    assert batch.images.dtype == torch.float32 and batch.images.shape == (2, 3, 8, 8)
    assert (batch.images[0] == 1).all() and (batch.images[1] == -1).all()


def test_wide_images_are_cropped_in_the_middle_and_boxes_follow():
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
    batch = collate([wide], WORDS, positions=torch.arange(1), **LIMITS)
    inner = batch.images[0, :, :, 1:-1]  # resampling mixes a little across the edges of the square
    assert (inner[0] == 1).all() and (inner[1:] == -1).all() and batch.images[0, 0].min() > 0.8
    assert batch.annotations.categories.tolist() == [[0, 2, -1]]
    assert batch.annotations.boxes_xyxy[0, :2].tolist() == [[0, 0, 0.5, 1], [0.5, 0.5, 1, 1]]
    assert batch.annotations.relationships.tolist() == [[[0, 0, 1], [-1] * 3]]


def test_tall_images_too():
    tall = scene(width=10, height=20, objects=(Object("cat", (0.0, 0.25, 1.0, 0.5)),), relationships=())
    assert square(tall).objects[0].box == (0, 0, 1, 0.5)


def test_objects_in_relationships_are_kept_first():
    crowded = scene(
        objects=tuple(Object(name, WHOLE) for name in ("cat", "dog", "dog", "mat")),
        relationships=(Relationship(3, "on", 2),),
    )
    kept = at_most(crowded, 2)
    assert [item.category for item in kept.objects] == ["dog", "mat"]
    assert kept.relationships == (Relationship(1, "on", 0),)
    assert at_most(crowded, 3).objects[0].category == "cat"


def test_unknown_words_name_the_nearest():
    with pytest.raises(FridoError, match=r"'cap'(.|\n)*try cat"):
        collate(
            [scene(objects=(Object("cap", WHOLE),), relationships=())],
            WORDS,
            positions=torch.arange(1),
            **LIMITS,
        )


def test_an_undecodable_image_names_the_scene():
    broken = scene(image=b"\x89PNG\r\n\x1a\nnothing", width=8, height=8)
    with pytest.raises(FridoError, match="scene a"):
        collate([broken], WORDS, positions=torch.arange(1), **LIMITS)


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (np.full((6, 9), 128, np.uint8), {"format": "JPEG"}),
        (np.full((6, 9, 4), 128, np.uint8), {"format": "JPEG", "mode": "CMYK"}),
        (np.full((6, 9, 4), 128, np.uint8), {"format": "PNG"}),
    ],
    ids=["grey", "cmyk", "transparent"],
)
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_every_kind_of_image_is_packed_as_rgb(pixels, options):
    done = packed(scene(image=encoded(pixels, **options), width=9, height=6), image_size=None, where="here")
    assert Image.open(io.BytesIO(done.image)).mode == "RGB" and (done.width, done.height) == (9, 6)


@pytest.mark.parametrize(("annotated", "top_left"), [((6, 9), "turned"), ((9, 6), "as stored")])
def test_orientation_flags_are_followed_where_the_annotations_did(annotated, top_left):
    pixels = np.zeros((6, 9, 3), np.uint8)
    pixels[:, :3] = 255  # white on the left as stored; flag 6 turns it clockwise: white on top
    exif = Image.Exif()
    exif[0x0112] = 6
    image = encoded(pixels, format="JPEG", exif=exif, quality=95)
    done = packed(scene(image=image, width=annotated[0], height=annotated[1]), image_size=None, where="here")
    stored = np.asarray(Image.open(io.BytesIO(done.image)))
    assert stored.shape[:2] == annotated[::-1]
    assert stored[0, -1].mean() > 200 if top_left == "turned" else stored[0, -1].mean() < 50
    assert Image.open(io.BytesIO(done.image)).getexif().get(0x0112, 1) == 1


def test_smaller_copies_of_an_image_are_welcome_and_other_images_not():
    image = encoded(np.zeros((30, 40, 3), np.uint8))
    assert packed(scene(image=image, width=800, height=600), image_size=None, where="here").width == 40
    with pytest.raises(FridoError, match="proportions"):
        packed(scene(image=image, width=600, height=600), image_size=None, where="here")


def test_a_cut_off_image_is_refused_when_packing():
    image = encoded(np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8), format="JPEG")[:-400]
    with pytest.raises(FridoError, match="here"):
        packed(scene(image=image, width=40, height=30), image_size=None, where="here")
