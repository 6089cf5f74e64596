import ast
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from frido.contracts.errors import FridoError
from frido.contracts.scene import Object
from frido.data.evaluation import evaluation_split
from frido.data.shards import Shards
from frido.data.sources.visual_genome import VisualGenome
from frido.data.sources.visual_genome_writer import VisualGenomeWriter

SMALL = {
    "splits": None,
    "min_object_instances": 1,
    "min_attribute_instances": 1,
    "min_relationship_instances": 1,
    "min_image_side": 200,
    "min_object_side": 32,
    "min_objects": 3,
    "max_objects": 30,
    "min_relationships": 1,
    "max_relationships": 30,
}
TINY = {"min_image_side": 32, "min_object_side": 1, "min_objects": 1, "min_relationships": 0}


@pytest.fixture(scope="module")
def real() -> Path:
    if "FRIDO_REALDATA" not in os.environ:
        pytest.skip("FRIDO_REALDATA is not set")
    return Path(os.environ["FRIDO_REALDATA"])


def read_real(real: Path, root: str = "visual_genome", **changes) -> VisualGenome:
    return VisualGenome(**(SMALL | {"root": str(real / root), "splits": str(real / "sg2im/vg_splits.json")} | changes))


@pytest.mark.parametrize(("objects", "relationships"), [(1, 1), (2, 2), (3, 2)])
def test_counts_are_those_of_sg2ims_own_script(real, objects, relationships):
    source = read_real(real, min_object_instances=objects, min_relationship_instances=relationships)
    head = f"min_object_instances={objects} min_relationship_instances={relationships}:"
    line = next(x for x in (real / "sg2im_reference_counts.txt").read_text().splitlines() if x.startswith(head))
    match = re.search(r"objects vocab (\d+) .*predicates (\d+) .*?(\[.*?\]); .*kept\) (\{.*\})", line)
    assert match is not None
    assert len(source.vocabulary.categories) == int(match[1])
    assert len(source.vocabulary.predicates) == int(match[2])
    assert sorted(source.vocabulary.predicates) == ast.literal_eval(match[3])
    assert source.graphs == ast.literal_eval(match[4])


def test_filters_add_up(real):
    filters = read_real(real, min_object_instances=2, min_relationship_instances=2).filters()
    for counts in filters.values():
        whole, *parts = counts.values()
        assert whole == sum(parts)
    assert filters["images"]["kept"] == 3


def test_release_1_0_resolves_every_end(real, tmp_path):
    """Its relationships name objects by ids of their own; box and name find them."""
    shutil.copytree(real / "visual_genome", tmp_path / "vg")
    for path in (real / "visual_genome/extra/v1.0").iterdir():
        shutil.copy(path, tmp_path / "vg")
    everything = {"min_object_side": 0, "min_objects": 1, "max_objects": 99, "max_relationships": 99}
    source = read_real(tmp_path, "vg", splits=str(real / "sg2im/vg_splits.json"), **everything)
    raw = {
        kind: [len(record[kind]) for record in json.loads((tmp_path / "vg" / f"{kind}.json").read_text())]
        for kind in ("objects", "relationships")
    }
    assert [graph[1] for graph in source.graphs.values()] == raw["relationships"] == [36, 23, 17, 28]
    assert all(graph[0] <= objects for graph, objects in zip(source.graphs.values(), raw["objects"], strict=True))
    clock = next(item for item in source._scenes["train"][0].objects if item.category == "clock")
    assert clock.attributes == ("green",)


def test_packed_photographs(real, tmp_path, make_packing):
    out = tmp_path / "out"
    spec = make_packing(image_size=256).write(read_real(real), out, quiet=True)
    shards = Shards(out, "train")
    assert sorted(shards.scene(row).id for row in range(len(shards))) == ["2", "4"]
    assert min(shards.scene(0).width, shards.scene(0).height) == 256
    assert spec["evaluation"] == "no val or test images: evaluated on train"
    assert evaluation_split(out) == ("train", "no val or test images: evaluated on train")


def test_thresholds_that_leave_nothing_are_explained(real, tmp_path, make_packing):
    with pytest.raises(FridoError, match="lower the thresholds"):
        make_packing().write(read_real(real, min_object_instances=2000), tmp_path / "out", quiet=True)


@pytest.fixture(scope="module")
def layout(tmp_path_factory, make_source) -> Path:
    out = tmp_path_factory.mktemp("layout") / "vg"
    VisualGenomeWriter(quality=95).write(make_source(train=20, resolution=64), out)
    return out


def read(root: Path, **changes) -> VisualGenome:
    return VisualGenome(**(SMALL | TINY | {"root": str(root)} | changes))


def test_scenes_survive_the_round_trip(layout, tmp_path, make_source, make_packing):
    """Scenes -> Visual Genome's files -> shards -> scenes."""
    make_packing().write(read(layout), tmp_path / "packed", quiet=True)
    source = make_source(train=20, resolution=64)
    first = 1
    for split in ("train", "val", "test"):
        shards = Shards(tmp_path / "packed", split)
        found = {int(shards.scene(row).id): shards.scene(row) for row in range(len(shards))}
        assert len(found) == source.count(split)
        for index in range(source.count(split)):
            scene, copy = source.scene(split, index), found[first + index]
            assert [item.category for item in copy.objects] == [item.category for item in scene.objects]
            assert [item.attributes for item in copy.objects] == [item.attributes for item in scene.objects]
            assert copy.relationships == scene.relationships
            boxes = [np.array([item.box for item in either.objects]) * 64 for either in (scene, copy)]
            assert np.abs(boxes[0] - boxes[1]).max() <= 1.0
        first += source.count(split)


def edit(layout: Path, tmp_path: Path, name: str, change) -> Path:
    root = tmp_path / "edited"
    if not root.exists():
        shutil.copytree(layout, root)
    content = json.loads((root / name).read_text())
    (root / name).write_text(json.dumps(change(content) or content))
    return root


def test_words_are_normalised_in_every_split(layout, tmp_path):
    """sg2im looks val and test predicates up raw; here `LEFT OF ` counts everywhere."""

    def shout(records):
        for record in records:
            for told in record["relationships"]:
                told["predicate"] = f"{told['predicate'].upper()} "

    root = edit(layout, tmp_path, "relationships.json", shout)
    assert read(root).graphs == read(layout).graphs
    assert read(root).vocabulary.predicates == read(layout).vocabulary.predicates


def test_aliases_are_followed(layout, tmp_path):
    def rename(records):
        for record in records:
            for item in record["objects"]:
                item["names"] = [{"circle": "disc"}.get(name, name).title() for name in item["names"]]

    assert read(edit(layout, tmp_path, "objects.json", rename)).vocabulary == read(layout).vocabulary


def test_merged_objects_of_release_1_4_are_one(layout, tmp_path):
    """A relationship may name a folded-in id, or an end that itself lists the ids folded into it."""

    def merge(records):
        for record in records:
            for item in record["objects"]:
                item["merged_object_ids"] = [item["object_id"] + 100_000]

    def point(records):
        for record in records:
            for told in record["relationships"]:
                told["subject"]["object_id"] += 100_000
                told["object"]["merged_object_ids"] = [told["object"]["object_id"]]
                told["object"]["object_id"] += 900_000
                told["object"]["names"] = [told["object"].pop("name")]

    edit(layout, tmp_path, "objects.json", merge)
    root = edit(layout, tmp_path, "relationships.json", point)
    assert read(root).graphs == read(layout).graphs
    assert read(root)._scenes == read(layout)._scenes


def test_small_objects_and_their_relationships_go(layout):
    fewer, all_ = read(layout, min_object_side=26), read(layout)
    for image, (objects, relationships, _) in fewer.graphs.items():
        assert objects <= all_.graphs[image][0] and relationships <= all_.graphs[image][1]
    assert fewer.filters()["objects"]["too small"] > 0
    assert fewer.filters()["relationships"]["an end was dropped"] > 0


def test_rare_words_are_not_in_the_vocabulary(layout):
    counts = {}
    for scene in read(layout)._scenes["train"]:
        for item in scene.objects:
            counts[item.category] = counts.get(item.category, 0) + 1
    least = sorted(counts.values())[2]
    assert set(read(layout, min_object_instances=least).vocabulary.categories) == {
        k for k, v in counts.items() if v >= least
    }


def test_missing_images_are_counted(layout, tmp_path):
    root = shutil.copytree(layout, tmp_path / "fewer")
    (root / "VG_100K" / "3.jpg").unlink()
    source = read(root)
    assert source.filters()["images"]["file missing"] == 1 and source.count("train") == 19


def test_boxes_are_fractions_of_the_image_and_inside_it(layout, tmp_path):
    def spill(records):
        records[0]["objects"][0] |= {"x": -5, "y": 32, "w": 37, "h": 99}

    first = read(edit(layout, tmp_path, "objects.json", spill))._scenes["train"][0].objects[0]
    assert isinstance(first, Object) and first.box == (0, 0.5, 0.5, 1)


@pytest.mark.parametrize(
    "name",
    ["image_data.json", "objects.json", "relationships.json", "attributes.json", "object_alias.txt", "vg_splits.json"],
)
def test_missing_files_are_named(layout, tmp_path, name):
    root = shutil.copytree(layout, tmp_path / "broken", ignore=shutil.ignore_patterns(name))
    with pytest.raises(FridoError, match=name):
        read(root)


def test_broken_json_is_named(layout, tmp_path):
    root = shutil.copytree(layout, tmp_path / "broken")
    (root / "objects.json").write_text('[{"image_id": 1, "obj')
    with pytest.raises(FridoError, match=r"objects\.json"):
        read(root)
    (root / "objects.json").write_text('[{"image_id": 1, "objets": []}]')
    with pytest.raises(FridoError, match=r"objects\.json\n.*'objects'"):
        read(root)
