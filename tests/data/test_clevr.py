import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from frido.contracts.errors import FridoError
from frido.contracts.scene import Relationship
from frido.data.filters.predicates import OnlyPredicates
from frido.data.shards import Shards
from frido.data.sources.clevr import Clevr
from frido.data.sources.clevr_writer import ClevrWriter

NEW = {"train": "new"}
RELEASED = {"train": "train", "val": "val", "test": "test"}

SEEN = {
    ("yellow", "small", "sphere"): (170, 96, 191, 117),
    ("gray", "small", "cylinder"): (192, 77, 211, 101),
    ("brown", "small", "cube"): (209, 99, 237, 130),
    ("yellow", "large", "sphere"): (123, 119, 175, 172),
    ("purple", "large", "cube"): (223, 63, 280, 120),
    ("green", "small", "cylinder"): (76, 116, 101, 147),
    ("purple", "small", "sphere"): (135, 72, 152, 90),
}
"""Where the shapes end on the real picture, pixels; measured on it."""


@pytest.fixture(scope="module")
def real() -> Path:
    if "FRIDO_REALDATA" not in os.environ:
        pytest.skip("FRIDO_REALDATA is not set")
    return Path(os.environ["FRIDO_REALDATA"]) / "clevr"


def read(root: Path, splits: dict[str, str] = RELEASED, **filters) -> Clevr:
    return Clevr(root=str(root), splits=splits, filters=filters)


@pytest.fixture(scope="module")
def layout(tmp_path_factory, make_source) -> Path:
    out = tmp_path_factory.mktemp("layout") / "clevr"
    ClevrWriter().write(make_source(train=12, val=3, test=2, resolution=64), out)
    return out


def test_derived_boxes_fit_the_picture(real):
    scene = read(real / "output", NEW).scene("train", 0)
    for item in scene.objects:
        box = np.array(item.box) * [320, 240, 320, 240]
        assert np.abs(box - SEEN[*item.attributes[:2], item.category]).max() < 2


def test_both_real_layouts_say_what_the_file_says(real, tmp_path):
    """The release's, the generator's, and the generator's before its scenes are collected."""
    record = json.loads((real / "output/CLEVR_scenes.json").read_text())["scenes"][0]
    shutil.copytree(real / "output", tmp_path / "alone")
    (tmp_path / "alone/CLEVR_scenes.json").unlink()
    scenes = [read(root, NEW).scene("train", 0) for root in (real / "output", real / "CLEVR_v1.0", tmp_path / "alone")]
    assert scenes[0] == scenes[1] == scenes[2]
    told = {(r.subject, r.predicate, r.object) for r in scenes[0].relationships}
    count = sum(len(subjects) for lists in record["relationships"].values() for subjects in lists)
    assert len(told) == len(scenes[0].relationships) == count
    for i in range(7):
        for j in record["relationships"]["front"][i]:
            assert (j, "in front of", i) in told
    # the truth behind the words: what is left of something is further left in space
    left, places = record["directions"]["left"], [item["3d_coords"] for item in record["objects"]]
    assert all(np.dot(np.subtract(places[j], places[i]), left) > 0 for j, word, i in told if word == "left of")
    assert [(o.category, *o.attributes) for o in scenes[0].objects] == [
        (item["shape"], item["color"], item["size"], item["material"]) for item in record["objects"]
    ]


def test_the_real_image_packs(real, tmp_path, make_packing):
    """Its file has an alpha channel."""
    make_packing(image_size=None).write(read(real / "CLEVR_v1.0", NEW), tmp_path / "out", quiet=True)
    scene = Shards.below(tmp_path / "out", "train").scene(0)
    assert (scene.id, scene.width, scene.height, len(scene.objects)) == ("CLEVR_new_000000", 320, 240, 7)


def test_scenes_survive_the_round_trip(layout, make_source):
    """Places in space become the boxes again, as squares around their centres; the words are not CLEVR's."""
    source, copies = make_source(train=12, val=3, test=2, resolution=64), read(layout)
    assert set(copies.vocabulary.predicates) == set(source.vocabulary.predicates)
    for split in RELEASED:
        assert copies.count(split) == source.count(split)
        for index in range(source.count(split)):
            scene, copy = source.scene(split, index), copies.scene(split, index)
            assert copy.id == f"CLEVR_{split}_{index:06d}"
            assert [(o.category, o.attributes) for o in copy.objects] == [
                (o.category, o.attributes) for o in scene.objects
            ]
            assert set(copy.relationships) == set(scene.relationships)
            for item, same in zip(scene.objects, copy.objects, strict=True):
                box, square = np.array(item.box) * 64, np.array(same.box) * 64
                side = max(box[2:] - box[:2])
                middle = (box[2:] + box[:2]) / 2
                wanted = np.concatenate([middle - side / 2, middle + side / 2]).clip(0, 64)
                assert np.abs(square - wanted).max() <= 0.51


def test_one_of_two_inverses_says_all(layout):
    few = read(layout, predicates=OnlyPredicates(names=["left of", "above"]))
    assert few.vocabulary.predicates == ("left of", "above")
    every = [told for k in range(12) for told in read(layout).scene("train", k).relationships]
    kept = [told for k in range(12) for told in few.scene("train", k).relationships]
    assert kept == [told for told in every if told.predicate in ("left of", "above")] and kept
    dropped = few.filters()["train"]["predicates"]["relationships"]
    assert dropped == len(every) - len(kept)


def test_a_source_is_small_and_reads_itself_in_another_process(layout):
    source = read(layout)
    copy = pickle.loads(pickle.dumps(source))
    assert copy.scene("val", 1) == source.scene("val", 1)
    assert len(pickle.dumps(source)) < 200 * 17 + 2000


def test_images_that_are_not_there_are_counted(layout, tmp_path):
    root = shutil.copytree(layout, tmp_path / "fewer")
    (root / "images/train/CLEVR_train_000000.png").unlink()
    shutil.rmtree(root / "images/val")
    source = read(root)
    assert (source.count("train"), source.count("val"), source.count("test")) == (11, 0, 2)
    assert source.filters()["val"]["file missing"]["images"] == 3
    assert source.filters()["val"]["file missing"]["objects"] > 0


def test_released_scenes_without_test(layout, tmp_path):
    root = shutil.copytree(layout, tmp_path / "release")
    (root / "scenes/CLEVR_test_scenes.json").unlink()
    assert read(root).count("test") == 0 and read(root).count("val") == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"scenes": [{"objects"', "no JSON"),
        ('{"scenes": [{"objets": []}]}', "objets"),
        ('{"scenes": []}', "no scenes"),
    ],
)
def test_files_that_are_not_clevrs_are_named(tmp_path, content, message):
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes/CLEVR_train_scenes.json").write_text(content)
    with pytest.raises(FridoError, match=message):
        read(tmp_path)


def test_settings_tell_what_was_read(layout, tmp_path):
    root = shutil.copytree(layout, tmp_path / "moved")
    assert read(root).settings() == read(layout).settings()
    path = root / "scenes/CLEVR_val_scenes.json"
    path.write_text(path.read_text() + " ")
    assert read(root).settings() != read(layout).settings()


def test_other_names_of_splits(layout):
    source = read(layout, {"train": "val"})
    assert source.count("train") == 3 and source.count("val") == 0
    assert isinstance(source.scene("train", 2).relationships, tuple)
    assert all(isinstance(told, Relationship) for told in source.scene("train", 2).relationships)
