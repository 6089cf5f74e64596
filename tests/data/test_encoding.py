"""What is stored of an image file: truth pixels for every kind of file that datasets hold."""

import io
import os
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene
from frido.data.encoding import FORMATS, Storing, packed, suffix

KEEP = Storing(image_size=None, image_format="keep", quality=95)
LOSSLESS = KEEP._replace(image_format="png")
TALL = np.arange(24, dtype=np.uint8).reshape(6, 4) * 10
"""A grey ramp, 4 wide and 6 tall."""


def encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def store(content: bytes, storing: Storing = LOSSLESS, *, size: tuple[int, int] = (0, 0), **parts) -> Scene:
    scene = Scene("s", image=content, width=size[0], height=size[1], **parts)
    return packed(scene, storing=storing, where="image of scene s")


def pixels(scene: Scene) -> np.ndarray:
    image = Image.open(io.BytesIO(scene.image))
    assert image.mode == "RGB" and image.size == (scene.width, scene.height)
    return np.asarray(image).astype(int)


def without_adobe_mark(jpeg: bytes) -> bytes:
    start = jpeg.index(b"\xff\xee")
    length = int.from_bytes(jpeg[start + 2 : start + 4], "big")
    assert jpeg[start + 4 : start + 9] == b"Adobe"
    return jpeg[:start] + jpeg[start + 2 + length :]


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("JPEG", {"quality": 90}), ("WEBP", {"lossless": True})])
def test_files_that_need_no_change_are_kept_byte_for_byte(kind, options):
    content = encode(Image.new("RGB", (8, 6), (10, 200, 30)), kind, **options)
    for storing in (KEEP, KEEP._replace(image_size=6), KEEP._replace(image_format=kind.lower())):
        assert store(content, storing).image == content


@pytest.mark.parametrize("image_format", ["jpeg", "png", "webp"])
def test_all_images_become_one_format(image_format):
    for kind in ("PNG", "JPEG", "WEBP", "BMP"):
        content = encode(Image.new("RGB", (16, 16), (10, 200, 30)), kind)
        stored = store(content, KEEP._replace(image_format=image_format))
        assert Image.open(io.BytesIO(stored.image)).format == FORMATS[image_format]
        assert suffix(stored.image) == {"jpeg": "jpg"}.get(image_format, image_format)
        assert np.abs(pixels(stored) - (10, 200, 30)).max() < 8


def test_quality_counts():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    for image_format in ("jpeg", "webp"):
        sizes = [
            len(store(encode(noise, "BMP"), KEEP._replace(image_format=image_format, quality=q)).image)
            for q in (30, 95)
        ]
        assert sizes[0] < 0.7 * sizes[1]


def test_grey_palette_and_bits_become_rgb():
    grey = Image.fromarray(TALL)
    truth = np.repeat(TALL[..., None], 3, axis=2)
    assert (pixels(store(encode(grey, "PNG"))) == truth).all()
    bits = Image.fromarray(TALL > 100)
    assert bits.mode == "1" and (pixels(store(encode(bits, "PNG"))) == 255 * (truth > 100)).all()
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    assert pixels(store(encode(palette, "GIF"))).tolist() == [[[255, 0, 0], [0, 0, 255]]]


def test_16_bit_grey_is_scaled_and_not_cut_off():
    deep = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    for kind in ("PNG", "TIFF"):
        assert pixels(store(encode(Image.fromarray(deep), kind)))[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]


@pytest.mark.parametrize("values", [np.array([[-1, 70000]], np.int32), np.array([[0.5, 0.1]], np.float32)])
def test_pixels_without_an_agreed_range_are_refused(values):
    with pytest.raises(FridoError, match="image of scene s"):
        store(encode(Image.fromarray(values), "TIFF"))


def test_what_is_transparent_is_shown_on_white():
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 51))
    truth = [[[255, 0, 0], [255, 255, 255], [204, 204, 204]]]
    assert pixels(store(encode(image, "PNG"))).tolist() == truth
    keyed = Image.new("RGB", (2, 1), (1, 2, 3))
    keyed.putpixel((0, 0), (9, 9, 9))
    content = encode(keyed, "PNG", transparency=(1, 2, 3))
    for storing in (KEEP._replace(quality=100), LOSSLESS):
        assert np.abs(pixels(store(content, storing)) - [[[9, 9, 9], [255, 255, 255]]]).max() <= 40
    assert pixels(store(content)).tolist() == [[[9, 9, 9], [255, 255, 255]]]


def test_inks_become_colours_with_and_without_adobes_mark():
    """(1 - ink) (1 - black), inks in [0, 1]; a file with Adobe's mark stores 1 - ink."""
    inks = Image.new("CMYK", (16, 16), (255, 51, 0, 51))
    adobe = encode(inks, "JPEG", quality=100, subsampling=0)
    assert np.abs(pixels(store(adobe)) - (0, 163, 204)).max() <= 2
    plain = without_adobe_mark(encode(Image.new("CMYK", (16, 16), (0, 204, 255, 204)), "JPEG", quality=100))
    assert np.abs(pixels(store(plain)) - (0, 163, 204)).max() <= 2
    assert np.abs(pixels(store(encode(inks, "TIFF"))) - (0, 163, 204)).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_held_otherwise(orientation):
    """`undo` is what the camera did to the upright picture."""
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].T,
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(Image.fromarray(np.ascontiguousarray(undo(TALL))), "PNG", exif=exif)
    for size in ((4, 6), (40, 60), (0, 0)):
        stored = store(content, size=size)
        assert (stored.width, stored.height) == (4, 6)
        assert (pixels(stored)[..., 0] == TALL).all()
        assert Image.open(io.BytesIO(stored.image)).getexif().get(0x0112, 1) == 1


def test_a_flag_is_ignored_where_the_annotations_say_so():
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = store(encode(Image.fromarray(TALL), "PNG", exif=exif), size=(4, 6))
    assert (pixels(stored)[..., 0] == TALL).all()


def test_other_proportions_are_refused():
    with pytest.raises(FridoError, match="4 x 6 pixels"):
        store(encode(Image.fromarray(TALL), "PNG"), size=(6, 6))


def test_resizing_is_antialiased_and_done_only_to_larger_images():
    stripes = np.zeros((64, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    content = encode(Image.fromarray(stripes), "PNG")
    stored = store(content, LOSSLESS._replace(image_size=16))
    assert (stored.width, stored.height) == (32, 16)
    assert np.abs(pixels(stored)[:, 1:-1] - 127.5).max() < 20
    assert store(content, KEEP._replace(image_size=64)).image == content
    assert store(content, KEEP._replace(image_size=100)).image == content


def test_a_segmentation_follows_the_size_of_the_image():
    map_ = np.zeros((64, 128), np.uint8)
    map_[:, 64:] = 7
    scene = store(
        encode(Image.new("RGB", (128, 64)), "PNG"), LOSSLESS._replace(image_size=16), segmentation=encode_map(map_)
    )
    small = np.asarray(Image.open(io.BytesIO(scene.segmentation)))
    assert small.shape == (16, 32) and set(small.ravel().tolist()) == {0, 7} and (small[:, 16:] == 7).all()


def encode_map(values: np.ndarray) -> bytes:
    return encode(Image.fromarray(values), "PNG")


def test_an_image_cut_short_is_refused_also_where_it_would_be_kept():
    whole = encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)), "JPEG")
    for content in (whole[: len(whole) // 2], b"", b"no image"):
        with pytest.raises(FridoError) as error:
            store(content, KEEP)
        assert "0x" not in str(error.value), "an address in memory differs between runs"


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_damaged_exif_block_ends_in_a_refusal_at_worst():
    """Pillow's own errors differ with the byte: all become the one that names the image."""
    exif, dice, refused = Image.Exif(), random.Random(0), 0
    blocks = {0x8769: {0x829A: 0.01}, 0x8825: {1: "N", 2: (1.0, 2.0, 3.0)}}
    exif.update({0x0112: 6, 0x010F: "maker", 0x011A: 72.0, **blocks})
    whole = encode(Image.fromarray(np.zeros((6, 4, 3), np.uint8)), "JPEG", exif=exif)
    start = whole.index(b"Exif")
    length = int.from_bytes(whole[start - 2 : start], "big") - 2
    for _ in range(2000):
        content = bytearray(whole)
        for _ in range(dice.choice((1, 2, 4))):
            content[start + dice.randrange(length)] = dice.randrange(256)
        try:
            assert store(bytes(content), KEEP).image
        except FridoError as error:
            refused += 1
            assert error.what == "image of scene s"
    assert 0 < refused < 200


def test_real_files_of_every_mode():
    if "FRIDO_REALDATA" not in os.environ:
        pytest.skip("FRIDO_REALDATA is not set")
    folder = Path(os.environ["FRIDO_REALDATA"]) / "open_images/train"
    inks, grey = (
        store((folder / "000b1b3b85edd850.jpg").read_bytes()),
        store((folder / "000adcdd7244ce4a.jpg").read_bytes()),
    )
    assert pixels(grey).std(axis=2).max() == 0
    assert pixels(inks).mean() > 60, "inks read upside down are dark"
