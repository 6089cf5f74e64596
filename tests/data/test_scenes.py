import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.geometry import PREDICATES, holds
from frido.data.sources.render import SUPERSAMPLE
from frido.data.sources.scenes import VOCABULARY
from frido.data.sources.words import COLOURS, RGB, SHAPES, SIZES, TEXTURES


def pixels(scene) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(scene.image))).astype(int)


def test_a_scene_is_a_function_of_seed_split_and_index(make_scenes):
    first, second = make_scenes(), make_scenes()
    second.scene("train", 3)  # what was drawn before does not matter
    assert first.scene("train", 7) == second.scene("train", 7)
    assert first.scene("train", 7).image == second.scene("train", 7).image
    assert make_scenes(seed=1).scene("train", 7).image != first.scene("train", 7).image


def test_splits_and_indices_never_meet(make_scenes):
    scenes = make_scenes(resolution=32)
    images = [scenes.scene(split, index).image for split in ("train", "val", "test") for index in range(150)]
    assert len(set(images)) == 450


@pytest.mark.parametrize("resolution", [32, 100, 256])
def test_image_has_the_resolution_asked_for(make_scenes, resolution):
    scene = make_scenes(resolution=resolution).scene("val", 0)
    assert pixels(scene).shape == (resolution, resolution, 3)
    assert (scene.width, scene.height) == (resolution, resolution)


def test_annotations_are_complete(make_scenes):
    scenes = make_scenes(min_size=0.2, max_objects=6)
    counts = set()
    for index in range(80):
        scene = scenes.scene("train", index)
        counts.add(len(scene.objects))
        for item in scene.objects:
            colour, size, texture = item.attributes
            assert item.category in SHAPES and colour in COLOURS and size in SIZES and texture in TEXTURES
            assert item.visible >= 0.5
            diameter = max(item.box[2] - item.box[0], item.box[3] - item.box[1])
            assert (diameter < 0.3) == (size == "small")
        assert scene.objects[-1].visible == 1.0, "the last object is in front"
        assert len(scene.captions) == 1
    assert counts == {1, 2, 3, 4, 5, 6}
    assert set(VOCABULARY.attributes) == {*COLOURS, *SIZES, *TEXTURES}


def test_boxes_and_shares_are_those_of_the_masks(make_scenes):
    """Paint the silhouettes once more, in order, and measure."""
    scenes = make_scenes(max_objects=5)
    side = 64 * SUPERSAMPLE
    for index in range(30):
        items, scene = scenes.silhouettes("train", index), scenes.scene("train", index)
        canvas = np.full((side, side), -1)
        areas = []
        for number, item in enumerate(items):
            whole = np.zeros((side, side), bool)
            whole[item.top : item.bottom, item.left : item.right] = item.mask
            rows, columns = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
            box = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
            assert scene.objects[number].box == tuple(edge / side for edge in box)
            canvas[whole] = number
            areas.append(whole.sum())
        for number, item in enumerate(scene.objects):
            assert item.visible == pytest.approx((canvas == number).sum() / areas[number], abs=1e-12)


def test_pixels_lie_where_the_box_says(make_scenes):
    """A lone object differs from its background inside its box and nowhere else."""
    scenes = make_scenes(max_objects=1)
    checked = 0
    for index in range(60):
        scene = scenes.scene("train", index)
        image, item = pixels(scene), scene.objects[0]
        if (
            any(len(np.unique(image[edge], axis=0)) > 1 for edge in (0, -1))
            or min(item.box) < 0.05
            or max(item.box) > 0.95
        ):
            continue  # not a plain background, or the object touches the border
        changed = (image != image[0, 0]).any(-1)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        assert np.abs(found - np.array(item.box) * 64).max() < 1.0
        checked += 1
    assert checked >= 5


def test_solid_objects_show_their_colour_in_the_middle(make_scenes):
    scenes = (make_scenes(max_objects=1).scene("val", index) for index in range(60))
    solid = [scene for scene in scenes if scene.objects[0].attributes[2] == "solid"]
    assert len({scene.objects[0].attributes[0] for scene in solid}) >= 5
    for scene in solid:
        item = scene.objects[0]
        row, column = (int(64 * (item.box[i] + item.box[i + 2]) / 2) for i in (1, 0))
        middle = pixels(scene)[row, column]
        assert min(RGB, key=lambda colour: np.abs(middle - RGB[colour]).sum()) == item.attributes[0]


def test_relationships_hold(make_scenes):
    scenes = make_scenes(max_objects=6, min_size=0.2)
    seen = set()
    for index in range(150):
        scene = scenes.scene("train", index)
        assert bool(scene.relationships) == (len(scene.objects) > 1)
        for told in scene.relationships:
            assert told.subject != told.object
            assert holds(scene.objects[told.subject].box, told.predicate, scene.objects[told.object].box)
            seen.add(told.predicate)
        pairs = [frozenset((r.subject, r.object)) for r in scene.relationships if r.predicate != "near"]
        assert len(pairs) == len(set(pairs)), "a pair is told once"
    assert seen >= set(PREDICATES) - {"inside", "surrounding"}


def test_eight_large_objects_still_fit(make_scenes):
    assert len(make_scenes(min_objects=8, max_objects=8).scene("train", 0).objects) == 8


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"resolution": 16}, "resolution"),
        ({"min_objects": 4}, "min_objects"),
        ({"min_visible": 1.5}, "min_visible"),
        ({"min_size": 0.3, "max_size": 0.34}, "min_size"),
        ({"min_size": 0.6}, "min_size"),
    ],
)
def test_impossible_settings_are_refused(make_scenes, changes, named):
    with pytest.raises(FridoError, match=named):
        make_scenes(**changes)


def test_scenes_that_cannot_be_placed_say_so(make_scenes):
    scenes = make_scenes(min_objects=8, max_objects=8, min_size=0.8, max_size=0.9, min_visible=1.0)
    with pytest.raises(FridoError, match="8 objects"):
        scenes.scene("train", 0)


def test_the_renderer_has_not_changed_unannounced(make_scenes):
    """Other pixels for the same seed: raise `RENDERER`, so that packed copies are made anew, then these numbers."""
    scene = make_scenes().scene("train", 0)
    coarse = Image.open(io.BytesIO(scene.image)).convert("L").resize((4, 4), Image.Resampling.BOX)
    assert [item.category for item in scene.objects] == ["square", "diamond", "circle"]
    np.testing.assert_allclose(np.asarray(coarse).ravel(), THUMBNAIL, atol=3)


THUMBNAIL = [129, 101, 119, 129, 93, 92, 124, 129, 74, 138, 129, 129, 125, 140, 129, 129]


def test_sources_and_pack_import_no_torch():
    code = "import sys, frido.data.packing.pack, frido.data.sources.visual_genome; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
