"""Pictures through crops and flips: what is drawn in a box stays in it."""

import io
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.geometry import WHOLE
from frido.contracts.scene import Object, Scene, Vocabulary
from frido.data.collate import framed, segments
from frido.data.encoding import png
from frido.data.framing.base import Frame
from frido.data.framing.centre import middle
from frido.data.framing.of_crop import OfCrop
from frido.data.images import decoded, labels, reading
from tests.data.test_framing import CROPS, frames

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
WORDS = Vocabulary(tuple(COLORS), (), ())
PIXELS = {  # (left, top, right, bottom) in a picture of 96 x 64
    "red": (4, 6, 22, 58),
    "green": (28, 8, 52, 26),
    "blue": (34, 34, 70, 60),
    "white": (76, 10, 92, 48),
}


def drawn(*, upright: bool, larger: int) -> Scene:
    """Return a scene of coloured rectangles, its picture and segmentation painted pixel by pixel."""
    picture, owner = np.full((64, 96, 3), 90, np.uint8), np.zeros((64, 96), np.uint8)
    objects = []
    for number, (color, (left, top, right, bottom)) in enumerate(PIXELS.items()):
        picture[top:bottom, left:right] = COLORS[color]
        owner[top:bottom, left:right] = number + 1
        box = left / 96, top / 64, right / 96, bottom / 64
        objects.append(Object(color, (box[1], box[0], box[3], box[2]) if upright else box))
    if upright:
        picture, owner = picture.transpose(1, 0, 2), owner.T
    picture, owner = (array.repeat(larger, axis=0).repeat(larger, axis=1) for array in (picture, owner))
    height, width = owner.shape
    return Scene("s", tuple(objects), image=png(picture), width=width, height=height, segmentation=png(owner))


def places(box, resolution: int, margin: float) -> np.ndarray:
    """Return which pixels have their centres in a box that is `margin` pixels larger on all sides."""
    left, top, right, bottom = (edge * resolution for edge in box)
    at = np.arange(resolution) + 0.5
    across = (at > left - margin) & (at < right + margin)
    return ((at > top - margin) & (at < bottom + margin))[:, None] & across


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("upright", [False, True], ids=["landscape", "portrait"])
@pytest.mark.parametrize("name", CROPS)
@pytest.mark.parametrize(("larger", "resolution"), [(1, 64), (3, 64), (1, 80)], ids=["as it is", "smaller", "larger"])
def test_each_color_is_in_its_new_box_and_nowhere_else(name, upright, mirrored, larger, resolution):
    """With a margin for antialiasing: what is cut at whole pixels can be half a pixel beside its box."""
    scene, seen = drawn(upright=upright, larger=larger), set()
    for frame in frames(name, scene.width, scene.height, mirrored=mirrored, count=6):
        image = decoded(scene.image, resolution, frame=frame, where="here").transpose(1, 2, 0).astype(int)
        owner = segments(scene, WORDS, resolution, frame)
        boxes = {item.category: item.box for item in framed(scene, frame, OfCrop()).objects}
        left, top, right, bottom = frame.box
        scale = resolution / min((right - left) * scene.width, (bottom - top) * scene.height)
        margin = 1.0 + max(1.0, scale * larger)  # the antialiasing reaches so far
        for number, (color, value) in enumerate(COLORS.items()):
            found = (np.abs(image - value) < 80).all(axis=2)
            box = boxes.get(color, (0, 0, 0, 0))
            assert found[places(box, resolution, -margin)].all()
            assert not found[~places(box, resolution, margin)].any()
            assert (owner == number)[places(box, resolution, -1)].all()
            assert not (owner == number)[~places(box, resolution, 1)].any()
            seen |= {color} & boxes.keys()
    assert "blue" in seen and (name == "centre" or len(seen) == 4)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("name", ["centre", "random_1d"])
def test_without_resizing_boxes_fit_to_the_pixel(name, mirrored):
    scene = drawn(upright=False, larger=1)
    for frame in frames(name, 96, 64, mirrored=mirrored, count=10):
        image = decoded(scene.image, 64, frame=frame, where="here").transpose(1, 2, 0)
        boxes = {item.category: item.box for item in framed(scene, frame, OfCrop()).objects}
        for color, value in COLORS.items():
            assert ((image == value).all(axis=2) == places(boxes.get(color, (0, 0, 0, 0)), 64, 0)).all()


@pytest.mark.parametrize("size", [(97, 64), (64, 97), (301, 200), (33, 500), (40, 40), (53, 31)])
@pytest.mark.parametrize("resolution", [32, 45])
def test_the_middle_is_the_shorter_side_resized_and_then_cut(size, resolution):
    pixels = np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), np.uint8)
    scale = resolution / min(size)
    whole = Image.fromarray(pixels).resize([round(side * scale) for side in size], Image.Resampling.BICUBIC)
    left, top = (whole.width - resolution) // 2, (whole.height - resolution) // 2
    expected = np.asarray(whole.crop((left, top, left + resolution, top + resolution))).transpose(2, 0, 1)
    assert (decoded(png(pixels), resolution, frame=Frame(middle(*size), False), where="here") == expected).all()
    turned = decoded(png(pixels), resolution, frame=Frame(middle(*size), True), where="here")
    assert (turned == expected[:, :, ::-1]).all() and turned.flags["C_CONTIGUOUS"]


def header(width: int, height: int) -> bytes:
    """Return the beginning of a PNG file of that size, and some of its pixels."""
    chunks = [(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 999))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


@pytest.mark.parametrize("read", [decoded, labels])
@pytest.mark.parametrize("action", ["error", "ignore"])
@pytest.mark.parametrize("size", [(60000, 60000), (10000, 10000), (60000, 10)], ids=["huge", "large", "long"])
def test_images_too_large_to_decode_are_refused_by_their_header(read, action, size):
    """Pillow refuses the first, warns of the second, and would enlarge the third to 400 million pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        with pytest.raises(FridoError, match=r"shard 3(.|\n)*at most 89478485 pixels"):
            read(header(*size), 256, frame=Frame(middle(*size), False), where="shard 3")


def test_reading_in_threads_leaves_the_filters_of_warnings_alone():
    """Contexts of threads overlap; each would put back what it found."""
    before = list(warnings.filters)
    entered, left = threading.Barrier(2), threading.Event()

    def first() -> None:
        with reading("first"):
            entered.wait()
        left.set()

    thread = threading.Thread(target=first)
    thread.start()
    with reading("second"):
        entered.wait()
        left.wait()
    thread.join()
    assert list(warnings.filters) == before


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\nnothing", header(40, 30)], ids=["empty", "torn", "short"])
def test_what_is_no_image_is_named(content):
    with pytest.raises(FridoError, match="shard 3"):
        decoded(content, 16, frame=Frame(WHOLE, False), where="shard 3")


def test_a_grey_photo_becomes_three_equal_channels():
    file = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(file, "PNG")
    found = decoded(file.getvalue(), 8, frame=Frame(WHOLE, False), where="here")
    assert (found == np.arange(64).reshape(8, 8)).all()
