"""COCO's real files against counts that sg2im's own code gave, and the reader against what a writer put on disk."""

import ast
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.pack_summary import filter_table
from frido.contracts.errors import FridoError
from frido.contracts.geometry import holds
from frido.data.encoding import Storing, packed
from frido.data.evaluation import evaluation_split
from frido.data.filters.object_count import ObjectCount
from frido.data.relations.geometric import GeometricRelations
from frido.data.shards import Shards, read_spec
from frido.data.sources import coco_masks
from frido.data.sources.coco import Coco
from frido.data.sources.coco_writer import CocoWriter
from frido.pack import main

PLAIN = {
    "year": 2017,
    "kinds": ["instances", "stuff"],
    "val_images": None,
    "relations": None,
    "segmentation": False,
    "filters": {},
}


@pytest.fixture(scope="module")
def real() -> Path:
    if "FRIDO_REALDATA" not in os.environ:
        pytest.skip("FRIDO_REALDATA is not set")
    return Path(os.environ["FRIDO_REALDATA"])


def recipe(name: str, root: Path, *changes: str, without: str = "") -> Coco:
    config = compose("pack", [f"source={name}", f"source.root={root}", "out=x", *changes])["source"]
    config["filters"].pop(without, None)
    return build(config)


def read(root: Path, **changes) -> Coco:
    return Coco(**(PLAIN | {"root": str(root)} | changes))


def scenes(source: Coco, split: str):
    return [source.annotation(split, index) for index in range(source.count(split))]


@pytest.mark.parametrize("split", ["train", "val"])
def test_counts_are_those_of_sg2ims_own_code(real, split):
    text = (real / "sg2im_reference_counts.txt").read_text()
    match = re.search(
        rf"{split}2017 with stuff (\d+) kept by sg2im (\d+) objects kept (\d+) (\[.*\])\n.*(\{{.*\}})", text
    )
    assert match is not None
    kept = recipe("coco_sg2im", real / "coco2017")
    counts = kept.filters()[split]
    assert counts["read"]["images"] - counts["with_stuff"]["images"] == int(match[1])
    assert (counts["kept"]["images"], counts["kept"]["objects"]) == (int(match[2]), int(match[3]))
    assert sorted(int(scene.id) for scene in scenes(kept, split)) == ast.literal_eval(match[4])
    all_ = recipe("coco_sg2im", real / "coco2017", without="object_count")
    assert {int(scene.id): len(scene.objects) for scene in scenes(all_, split)} == ast.literal_eval(match[5])


def test_filters_add_up(real):
    for split, counts in recipe("coco_sg2im", real / "coco2017", "source.val_images=4").filters().items():
        for what in ("images", "objects"):
            whole, *parts = (count[what] for count in counts.values())
            assert whole == sum(parts), (split, what)


def test_the_first_val_images_stay_and_the_others_are_test(real):
    parted, whole = (recipe("coco_sg2im", real / "coco2017", f"source.val_images={n}") for n in (4, "null"))
    assert (parted.count("val"), parted.count("test"), whole.count("test")) == (4, 5, 0)
    assert scenes(parted, "val") == scenes(whole, "val")[:4]
    assert [scene.id for scene in scenes(parted, "test")] == [scene.id for scene in scenes(whole, "val")[4:]]
    last = (parted.scene("test", 4), whole.scene("val", 8))
    assert last[0] == last[1]


def test_moved_images_are_counted_once(real):
    parted, whole = (recipe("coco_sg2im", real / "coco2017", f"source.val_images={n}").filters() for n in (4, "null"))
    for step, counts in whole["val"].items():
        for what, number in counts.items():
            assert number == parted["val"][step][what] + parted["test"][step][what], (step, what)


def test_drawn_relationships_are_counted_where_they_are_stored(real, tmp_path, make_packing):
    spec = make_packing(image_size=32).write(recipe("coco_sg2im", real / "coco2017"), tmp_path / "out", quiet=True)
    shards = Shards.below(tmp_path / "out", "train")
    *_, kept, stored = spec["filters"]["train"]
    drawn = sum(len(shards.scene(row).relationships) for row in range(len(shards)))
    assert (kept["step"], kept["relationships"]) == ("kept", 0)
    assert stored == {**kept, "step": "stored", "relationships": drawn} and drawn >= len(shards)
    assert any(line.split()[:2] == ["stored,", "train"] for line in filter_table(spec["filters"]))


@pytest.mark.parametrize(
    ("name", "train", "val"),
    [("coco_layout2im", 10, 9), ("coco_label2im", 20, 15), ("coco_label2im_sg2im", 10, 12)],
)
def test_limits_of_the_other_recipes(real, name, train, val):
    """Against the rules, applied to the files by a few lines of their own."""
    share, least, most = {"coco_layout2im": (0.02, 3, 8), "coco_label2im": (1e-4, 2, 30)}.get(name, (0.05, 3, 8))
    source = recipe(name, real / "coco2017")
    for split, expected in (("train", train), ("val", val)):
        files = [
            json.loads((real / f"coco2017/annotations/{kind}_{split}2017.json").read_text())
            for kind in ("instances", "stuff")
        ]
        sizes = {image["id"]: image["width"] * image["height"] for image in files[0]["images"]}
        large = [
            told["image_id"]
            for file in files
            for told in file["annotations"]
            if told["category_id"] != 183 and told["bbox"][2] * told["bbox"][3] / sizes[told["image_id"]] > share
        ]
        kept = {image for image in sizes if least <= large.count(image) <= most}
        assert {int(scene.id) for scene in scenes(source, split)} == kept and len(kept) == expected
    assert len(source.vocabulary.categories) == 171


def test_categories_are_in_the_order_of_their_ids(real):
    words = recipe("coco", real / "coco2017").vocabulary.categories
    assert len(words) == 172 and words[:2] == ("person", "bicycle")
    assert words[79:81] == ("toothbrush", "banner") and words[-1] == "other"


def test_text_recipe(real):
    source = recipe("coco_t2i", real / "coco2017", "source.year=2017")
    raw = json.loads((real / "coco2017/annotations/captions_train2017.json").read_text())["annotations"]
    for scene in scenes(source, "train"):
        said = [told["caption"] for told in raw if told["image_id"] == int(scene.id)]
        assert scene.captions == tuple(caption.replace(".", "").strip() for caption in said)
        assert 2 <= len(scene.objects) <= 30
    assert source.filters()["train"]["captioned"]["images"] == 16
    assert len(source.vocabulary.categories) == 80 and source.count("val") == 16


def test_edition_of_2014(real):
    source = recipe("coco_t2i", real / "coco2014_derived")
    assert (source.count("train"), source.count("val")) == (0, 6)
    later = {s.id: s for s in scenes(recipe("coco_t2i", real / "coco2017", "source.year=2017"), "val")}
    for index in range(6):
        scene = source.scene("val", index)
        before = later[scene.id]
        assert scene.captions == before.captions and len(scene.objects) == len(before.objects)
        assert scene.image == (real / f"coco2017/val2017/{int(scene.id):012d}.jpg").read_bytes()


def test_a_part_without_train_is_packed_verified_and_counted(real, tmp_path, capsys):
    root, out = f"source.root={real / 'coco2014_derived'}", str(tmp_path / "out")
    assert main(["source=coco_t2i", root, f"out={out}", "format.processes=1", "format.image_size=32"]) == 0
    assert main(["verify", out, "--processes", "1"]) == 0
    assert main(["stats", out, "--processes", "1"]) == 0
    spec, printed = read_spec(Path(out)), capsys.readouterr().out
    assert {split: part["scenes"] for split, part in spec["splits"].items()} == {"val": 6}
    assert spec["evaluation"] is None and evaluation_split(Path(out)) == ("val", None)
    assert "images: 6 val" in printed and "kept, train" not in printed
    with pytest.raises(FridoError, match="split train"):
        Shards.below(Path(out), "train")


def test_images_that_all_lie_elsewhere(real, tmp_path, make_packing):
    ignore = shutil.ignore_patterns("*.jpg")
    root = shutil.copytree(real / "coco2014_derived", tmp_path / "coco", ignore=ignore)
    with pytest.raises(FridoError, match=r"6 dropped by file missing[\s\S]*source\.root") as error:
        make_packing().write(recipe("coco_t2i", root), tmp_path / "out", quiet=True)
    assert "frequent" not in str(error.value)


def test_unreadable_images_are_named_by_file(real, tmp_path, make_packing):
    root = shutil.copytree(real / "coco2014_derived", tmp_path / "coco")
    names = sorted(f"val2014/{path.name}" for path in (root / "val2014").iterdir())[:2]
    for name in names:
        (root / name).write_bytes(b"<html>")
    spec = make_packing(max_unreadable=2).write(recipe("coco_t2i", root), tmp_path / "out", quiet=True)
    assert sorted(image["name"] for image in spec["unreadable"]) == names
    assert spec["filters"]["val"][-1]["images"] == 4


def test_challenge_lists(real):
    lists = real / "coco2017/annotations/deprecated-challenge2017"
    changes = [f"source.filters.images.files.{split}={lists / f'{split}-ids.txt'}" for split in ("train", "val")]
    source = recipe("coco", real / "coco2017", *changes)
    for split in ("train", "val"):
        ids = {int(line) for line in (lists / f"{split}-ids.txt").read_text().split()}
        assert {int(scene.id) for scene in scenes(source, split)} == ids and len(ids) == 14


@pytest.mark.parametrize(
    ("name", "off"),
    [
        ("coco_stuff_examples/annotations/stuff_examples", 0),
        ("coco2017/annotations/stuff_train2017", 13),
        ("coco2017/annotations/stuff_val2017", 3),
    ],
)
def test_packed_masks_have_their_annotated_area_and_box(real, name, off):
    """To the pixel; boxes of the full stuff release were drawn around something else by a few pixels."""
    content = json.loads((real / f"{name}.json").read_text())
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    for told in content["annotations"]:
        mask = coco_masks.pixels(told["segmentation"], *sizes[told["image_id"]], "")
        assert mask.sum() == told["area"]
        assert np.abs(bounds(mask) - edges(told["bbox"])).max() <= off


@pytest.mark.parametrize("split", ["train", "val"])
def test_masks_of_instances_have_their_annotated_area_and_box(real, split):
    """To the outline: polygons are drawn anew. The area of a crowd is annotated as something else than its pixels."""
    content = json.loads((real / f"coco2017/annotations/instances_{split}2017.json").read_text())
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    crowds = 0
    for told in content["annotations"]:
        mask = coco_masks.pixels(told["segmentation"], *sizes[told["image_id"]], "")
        assert np.abs(bounds(mask) - edges(told["bbox"])).max() <= (1 if told["iscrowd"] else 6.1)
        if not told["iscrowd"]:
            assert abs(mask.sum() - told["area"]) <= 0.4 * sum(told["bbox"][2:])
        crowds += told["iscrowd"]
    assert crowds >= 4


def bounds(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def edges(box: list[float]) -> np.ndarray:
    return np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]])


def test_every_real_image_packs(real):
    source = recipe("coco", real / "coco2017", "source.segmentation=true")
    coloured = 0
    for split in ("train", "val"):
        for index in range(source.count(split)):
            scene = packed(source.scene(split, index), storing=Storing(64, "keep", 95), where="")
            assert all(0 <= edge <= 1 for item in scene.objects for edge in item.box)
            assert set(scene.to_json()["objects"][0] if scene.objects else ()) <= {
                "category",
                "box",
                "attributes",
                "visible",
            }
            coloured += Image.open(io.BytesIO(scene.segmentation)).size == (scene.width, scene.height)
    assert coloured == 38


def test_segmentations_are_instances_over_stuff(real):
    source = recipe("coco", real / "coco2017", "source.segmentation=true")
    scene = next(s for s in (source.scene("val", k) for k in range(16)) if s.id == "13291")
    drawn = np.zeros((scene.height, scene.width), int)
    for kind in ("stuff", "instances"):
        content = json.loads((real / f"coco2017/annotations/{kind}_val2017.json").read_text())
        order = sorted(source._names)
        for told in content["annotations"]:
            if told["image_id"] == 13291:
                mask = coco_masks.pixels(told["segmentation"], scene.width, scene.height, "")
                drawn[mask] = order.index(told["category_id"]) + 1
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(scene.segmentation))), drawn)


def test_relationships_of_real_images(real):
    source = recipe("coco_sg2im", real / "coco2017")
    again = pickle.loads(pickle.dumps(recipe("coco_sg2im", real / "coco2017")))
    other = recipe("coco_sg2im", real / "coco2017", "source.relations.seed=1")
    told = []
    for index in reversed(range(source.count("train"))):
        scene = source.scene("train", index)
        assert scene == again.scene("train", index)
        told.append((scene.relationships, other.scene("train", index).relationships))
        assert len(scene.relationships) == len(scene.objects)
        for row, relationship in enumerate(scene.relationships):
            assert row in (relationship.subject, relationship.object)
            assert relationship.subject != relationship.object
            if relationship.predicate in ("inside", "surrounding"):
                boxes = [scene.objects[k].box for k in (relationship.subject, relationship.object)]
                assert holds(boxes[0], relationship.predicate, boxes[1])
    assert any(one != another for one, another in told)
    assert source.vocabulary.predicates == ("left of", "right of", "above", "below", "inside", "surrounding")


@pytest.fixture(scope="module")
def layout(tmp_path_factory, make_source) -> Path:
    out = tmp_path_factory.mktemp("layout") / "coco"
    CocoWriter(quality=95).write(make_source(train=12, val=4, test=3, resolution=64, segmentation=True), out)
    return out


def test_scenes_survive_the_round_trip(layout, make_source):
    """Scenes -> COCO's files -> scenes; the background is stuff, its box the whole of what nothing covers."""
    source = make_source(train=12, val=4, test=3, resolution=64, segmentation=True)
    copies = read(layout, kinds=["instances", "stuff", "captions"], val_images=4, segmentation=True)
    number = 0
    for split in ("train", "val", "test"):
        assert copies.count(split) == source.count(split)
        for index in range(source.count(split)):
            scene, copy = source.scene(split, index), copies.scene(split, index)
            number += 1
            *things, ground = copy.objects
            assert copy.id == str(number) and ground.category == "background"
            assert [item.category for item in things] == [item.category for item in scene.objects]
            boxes = [np.array([item.box for item in either]) * 64 for either in (scene.objects, things)]
            assert np.abs(boxes[0] - boxes[1]).max() <= 0.011
            assert copy.captions == scene.captions
            maps = [np.asarray(Image.open(io.BytesIO(s.segmentation))) for s in (scene, copy)]
            assert np.array_equal(maps[0], np.where(maps[1] == 7, 0, maps[1]))


def test_without_segmentations_masks_are_boxes(make_source, tmp_path):
    CocoWriter(quality=95).write(make_source(train=3, val=1, test=0, resolution=64, max_objects=1), tmp_path / "coco")
    source = read(tmp_path / "coco", kinds=["instances"], segmentation=True)
    scene = source.scene("train", 0)
    rows, columns = np.nonzero(np.asarray(Image.open(io.BytesIO(scene.segmentation))))
    found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    assert np.abs(found - np.array(scene.objects[0].box) * 64).max() <= 1


def edit(layout: Path, tmp_path: Path, name: str, change) -> Path:
    root = shutil.copytree(layout, tmp_path / "edited", dirs_exist_ok=True)
    path = root / "annotations" / f"{name}.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(change(content) or content))
    return root


def test_images_may_stand_in_a_folder_of_their_own(layout, tmp_path):
    root = shutil.copytree(layout, tmp_path / "coco")
    (root / "images").mkdir()
    for name in ("train2017", "val2017"):
        (root / name).rename(root / "images" / name)
    assert read(root).scene("val", 0) == read(layout).scene("val", 0)


def test_missing_images_are_counted(layout, tmp_path):
    root = shutil.copytree(layout, tmp_path / "coco")
    (root / "train2017" / "000000000003.jpg").unlink()
    source = read(root)
    assert source.filters()["train"]["file missing"]["images"] == 1 and source.count("train") == 11
    assert source.scene("train", 2) == read(layout).scene("train", 3)


def test_a_split_or_a_kind_that_nobody_asks_for_may_be_missing(layout, tmp_path):
    root = shutil.copytree(layout, tmp_path / "coco", ignore=shutil.ignore_patterns("*_train2017.json", "stuff_*"))
    source = read(root, kinds=["instances"])
    assert (source.count("train"), source.count("val")) == (0, 7)
    with pytest.raises(FridoError, match=r"stuff_val2017\.json[\s\S]*kinds=\[instances\]"):
        read(root)
    with pytest.raises(FridoError, match=r"instances_train2014\.json"):
        read(root, year=2014)
    with pytest.raises(FridoError, match="some of instances, stuff, captions"):
        read(root, kinds=["panoptic"])


def test_boxes_that_reach_over_an_edge_are_clipped_last(layout, tmp_path):
    def spill(content):
        content["annotations"][0]["bbox"] = [-16, 32, 48, 64]

    source = read(edit(layout, tmp_path, "instances_train2017", spill))
    assert source.annotation("train", 0).objects[0].box == (-0.25, 0.5, 0.5, 1.5)
    assert source.scene("train", 0).objects[0].box == (0, 0.5, 0.5, 1)


def test_broken_files_are_named(layout, tmp_path):
    root = edit(layout, tmp_path, "stuff_val2017", lambda content: content["annotations"][1].pop("bbox") and None)
    with pytest.raises(FridoError, match=r"stuff_val2017\.json, annotations at byte \d+\n.*'bbox'"):
        read(root)
    path = root / "annotations" / "stuff_val2017.json"
    path.write_text((layout / "annotations" / "stuff_val2017.json").read_text()[:-100])
    with pytest.raises(FridoError, match=r"stuff_val2017\.json\n.*no JSON"):
        read(root)


def test_masks_of_another_image_are_named(layout, tmp_path):
    def shrink(content):
        content["annotations"][0]["segmentation"]["size"] = [32, 128]

    source = read(edit(layout, tmp_path, "stuff_train2017", shrink), relations=GeometricRelations(seed=0))
    with pytest.raises(FridoError, match=r"stuff_train2017\.json, byte \d+\n.*32, 128"):
        source.scene("train", 0)


def test_what_is_dropped_leaves_no_trace(layout):
    few = read(layout, filters={"count": ObjectCount(least=4, most=9)})
    full = read(layout)
    kept = [scene for scene in scenes(full, "train") if len(scene.objects) >= 4]
    plain = [[(o.category, o.box) for o in scene.objects] for scene in scenes(few, "train")]
    assert plain == [[(o.category, o.box) for o in scene.objects] for scene in kept] and 0 < len(kept) < 12
    assert len(few._splits["train"]._box) == sum(len(scene.objects) for scene in kept)
    assert [few.scene("train", k) for k in range(len(kept))] == [
        full.scene("train", scenes(full, "train").index(scene)) for scene in kept
    ]


def test_settings_tell_what_was_read(layout, tmp_path):
    def rename(content):
        content["categories"][0]["name"] = "disc"

    first, other = read(layout).settings(), read(edit(layout, tmp_path, "instances_train2017", rename)).settings()
    changed = {name for name in first["annotations"] if first["annotations"][name] != other["annotations"][name]}
    assert "instances_train2017.json" in changed and str(tmp_path) not in json.dumps(other)


def test_reading_loads_neither_torch_nor_matplotlib():
    check = "import sys, frido.data.sources.coco; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_source_without_an_image_file_says_so(layout, tmp_path):
    root = shutil.copytree(layout, tmp_path / "coco")
    source = read(root)
    (root / "train2017" / "000000000001.jpg").unlink()
    with pytest.raises(FridoError, match=r"000000000001\.jpg"):
        source.scene("train", 0)
    assert replace(source.annotation("train", 0)).image == b""
