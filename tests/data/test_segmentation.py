"""What each pixel belongs to, from the source to the batch."""

import io
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.scene import Scene, Vocabulary
from frido.data.encoding import Storing, packed, png
from frido.data.shards import Shards
from frido.data.sources.render import SUPERSAMPLE
from frido.data.sources.words import SHAPES

KEEP = Storing(image_size=None, image_format="keep", quality=95)
THINGS = Vocabulary(tuple(f"thing {k}" for k in range(300)), (), ())


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def scene(segments: np.ndarray, *, image=None, **changes) -> Scene:
    height, width = segments.shape
    image = png(np.zeros((height, width, 3), np.uint8)) if image is None else image
    return Scene(
        **({"id": "a", "image": image, "width": width, "height": height, "segmentation": png(segments)} | changes)
    )


@pytest.fixture
def batch(make_reading):
    def make(*scenes: Scene, resolution: int, vocabulary=THINGS):
        return make_reading(resolution=resolution).collate(scenes, vocabulary, torch.arange(len(scenes)))

    return make


@pytest.fixture(scope="module")
def segmented(tmp_path_factory, make_source, make_packing):
    """Twenty training scenes at 32 px with segmentations, packed; and their source."""
    source, root = make_source(train=20, val=2, test=0, segmentation=True), tmp_path_factory.mktemp("seg") / "out"
    make_packing().write(source, root, quiet=True)
    return source, root


def test_most_of_a_pixel_decides_and_hidden_parts_do_not_count(make_scenes):
    """Against the silhouettes, painted pixel by pixel; the image is the same as without."""
    scenes, plain = (
        make_scenes(resolution=32, max_objects=5, segmentation=True),
        make_scenes(resolution=32, max_objects=5),
    )
    for index in range(6):
        found = pixels(scenes.scene("train", index).segmentation)
        canvas = np.zeros((32 * SUPERSAMPLE,) * 2, int)
        for item in scenes.silhouettes("train", index):
            whole = np.zeros(canvas.shape, bool)
            whole[item.top : item.bottom, item.left : item.right] = item.mask
            canvas[whole] = 1 + SHAPES.index(item.shape)
        for row in range(32):
            for column in range(32):
                block = canvas[row * SUPERSAMPLE :, column * SUPERSAMPLE :][:SUPERSAMPLE, :SUPERSAMPLE].ravel().tolist()
                assert found[row, column] == max(sorted(set(block)), key=block.count)
        assert scenes.scene("train", index).image == plain.scene("train", index).image
        assert plain.scene("train", index).segmentation == b""


def test_what_is_read_is_what_was_rendered(segmented, batch):
    source, root = segmented
    shards = Shards.below(root, "train")
    read = [shards.scene(row) for row in range(20)]
    assert {s.id: s for s in read} == {s.id: s for s in (source.scene("train", k) for k in range(20))}
    found = batch(*read, resolution=32, vocabulary=shards.vocabulary).segmentation
    assert found.dtype == torch.int16 and found.shape == (20, 32, 32)
    for row, held in enumerate(read):
        assert (found[row].numpy() == pixels(held.segmentation).astype(int) - 1).all()
        words = {SHAPES[k] for k in found[row].unique().tolist() if k >= 0}
        assert words == {item.category for item in held.objects}


def test_webdataset_reads_it(segmented):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import webdataset

        samples = list(webdataset.WebDataset(str(segmented[1] / "train-000000.tar"), shardshuffle=False))
    shards = Shards.below(segmented[1], "train")
    assert [sample["seg.png"] for sample in samples] == [shards.scene(row).segmentation for row in range(len(samples))]


def test_changed_bytes_are_found(segmented, tmp_path):
    copy = shutil.copytree(segmented[1], tmp_path / "copy")
    shards = Shards.below(copy, "train")
    content = bytearray((copy / "train-000000.tar").read_bytes())
    content[content.index(shards.scene(3).segmentation) + 50] ^= 0xFF
    (copy / "train-000000.tar").write_bytes(content)
    with pytest.raises(FridoError, match=r"seg\.png: changed bytes"):
        shards.scene(3)


def test_without_segmentations_there_is_none(dataset, batch):
    shards = Shards.below(dataset, "train")
    assert shards.scene(0).segmentation == b""
    assert batch(shards.scene(0), resolution=32, vocabulary=shards.vocabulary).segmentation is None


def test_it_is_cropped_like_the_image(batch):
    """Each quarter of the picture has a grey of its own, and a category to match."""
    segments = np.tile(1 + np.arange(32) // 8, (16, 1)).astype(np.uint8)
    image = png(np.repeat((segments * 40)[..., None], 3, axis=2))
    found = batch(scene(segments, image=image), resolution=16)
    greys = ((found.images[0, 0] + 1) * 127.5 / 40).round() - 1
    assert found.segmentation[0].unique().tolist() == [1, 2]
    assert torch.equal(greys, found.segmentation[0].float())


def test_resizing_mixes_no_categories(batch):
    segments = np.zeros((64, 64), np.uint8)
    segments[:, 32:] = 9
    assert batch(scene(segments), resolution=24).segmentation.unique().tolist() == [-1, 8]


def test_sixteen_bits_hold_many_categories(batch):
    segments = np.full((8, 8), 300, np.uint16)
    segments[0] = 0
    found = batch(packed(scene(segments), storing=KEEP, where="here"), resolution=8).segmentation
    assert found.unique().tolist() == [-1, 299]


def test_packing_brings_it_to_the_size_of_the_image():
    segments = np.repeat(np.array([[1, 2, 300, 4]], np.uint16), 40, axis=1).repeat(160, axis=0)
    done = packed(scene(segments), storing=KEEP._replace(image_size=40), where="here")
    assert (done.width, done.height) == (40, 40) and pixels(done.segmentation).shape == (40, 40)
    assert np.unique(pixels(done.segmentation)).tolist() == [1, 2, 4, 300]
    kept = packed(scene(segments), storing=KEEP, where="here")
    assert kept.segmentation == scene(segments).segmentation


@pytest.mark.parametrize(
    "segmentation",
    [png(np.zeros((8, 12), np.uint8)), png(np.zeros((8, 8, 3), np.uint8)), b"\x89PNG\r\n\x1a\nnothing"],
    ids=["other proportions", "three channels", "no image"],
)
def test_what_is_none_of_the_image_is_refused_when_packing(segmentation):
    broken = replace(scene(np.zeros((8, 8), np.uint8)), segmentation=segmentation)
    with pytest.raises(FridoError, match="segmentation, here"):
        packed(broken, storing=KEEP, where="here")


def test_an_unknown_category_names_the_scene(batch):
    with pytest.raises(FridoError, match=r"segmentation of scene a\n(.|\n)*value 4(.|\n)*3 categories"):
        batch(scene(np.full((8, 8), 4, np.uint8)), resolution=8, vocabulary=Vocabulary(("a", "b", "c"), (), ()))
