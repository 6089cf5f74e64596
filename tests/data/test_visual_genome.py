import ast
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frido.cli.build import build
from frido.cli.compose import compose
from frido.contracts.errors import FridoError
from frido.contracts.scene import Object, Scene
from frido.data.evaluation import evaluation_split
from frido.data.filters.base import Filter
from frido.data.filters.frequent_attributes import FrequentAttributes
from frido.data.filters.frequent_categories import FrequentCategories
from frido.data.filters.frequent_predicates import FrequentPredicates
from frido.data.filters.image_side import ImageSide
from frido.data.filters.object_count import ObjectCount
from frido.data.filters.object_side import ObjectSide
from frido.data.filters.relationship_count import RelationshipCount
from frido.data.shards import Shards
from frido.data.sources import visual_genome_records as records
from frido.data.sources.visual_genome import VisualGenome
from frido.data.sources.visual_genome_writer import VisualGenomeWriter


def recipe(
    *,
    image_side: int = 200,
    attributes: int = 1,
    categories: int = 1,
    object_side: int = 32,
    predicates: int = 1,
    objects: tuple[int, int] = (3, 30),
    relationships: tuple[int, int] = (1, 30),
) -> dict[str, Filter]:
    """Return the filters of `conf/source/visual_genome.yaml`, with thresholds for small samples."""
    return {
        "image_side": ImageSide(least=image_side),
        "frequent_attributes": FrequentAttributes(least=attributes),
        "frequent_categories": FrequentCategories(least=categories),
        "object_side": ObjectSide(least=object_side),
        "frequent_predicates": FrequentPredicates(least=predicates),
        "object_count": ObjectCount(least=objects[0], most=objects[1]),
        "relationship_count": RelationshipCount(least=relationships[0], most=relationships[1]),
    }


ANY = {"objects": (0, 10_000), "relationships": (0, 10_000)}
"""Bounds that drop no image."""


@pytest.fixture(scope="module")
def real() -> Path:
    if "FRIDO_REALDATA" not in os.environ:
        pytest.skip("FRIDO_REALDATA is not set")
    return Path(os.environ["FRIDO_REALDATA"])


def read_real(real: Path, root: Path | None = None, **changes: Any) -> VisualGenome:
    splits = str(real / "sg2im/vg_splits.json")
    return VisualGenome(
        root=str(root or real / "visual_genome"), splits=splits, captions=None, filters=recipe(**changes)
    )


def graphs(source: VisualGenome) -> dict[int, tuple[int, int]]:
    """Return the number of objects and of relationships of every kept image."""
    scenes = (source.annotation(split, row) for split in ("train", "val", "test") for row in range(source.count(split)))
    return {int(scene.id): (len(scene.objects), len(scene.relationships)) for scene in scenes}


def annotations(source: VisualGenome) -> list[Scene]:
    return [source.annotation("train", row) for row in range(source.count("train"))]


@pytest.mark.parametrize(("objects", "relationships"), [(1, 1), (2, 2), (3, 2)])
def test_counts_are_those_of_sg2ims_own_script(real, objects, relationships):
    source = read_real(real, categories=objects, predicates=relationships)
    head = f"min_object_instances={objects} min_relationship_instances={relationships}:"
    line = next(x for x in (real / "sg2im_reference_counts.txt").read_text().splitlines() if x.startswith(head))
    match = re.search(r"objects vocab (\d+) .*predicates (\d+) .*?(\[.*?\]); .*kept\) (\{.*\})", line)
    assert match is not None
    assert len(source.vocabulary.categories) == int(match[1])
    assert len(source.vocabulary.predicates) == int(match[2])
    assert sorted(source.vocabulary.predicates) == ast.literal_eval(match[3])
    reference = ast.literal_eval(match[4])
    every = read_real(real, categories=objects, predicates=relationships, **ANY)
    assert graphs(every) == {image: counts[:2] for image, counts in reference.items()}
    assert graphs(source) == {image: counts[:2] for image, counts in reference.items() if counts[2]}


def test_filters_add_up(real):
    steps = read_real(real, categories=2, predicates=2).filters()["train"]
    for kind in ("images", "objects", "relationships"):
        read, *dropped = (count[kind] for count in steps.values())
        assert read == sum(dropped)
    assert steps["kept"]["images"] == 3 and steps["read"]["images"] == 4
    assert steps["read"]["objects"] == 125 and steps["frequent_categories"]["objects"] > 0


def test_release_1_0_resolves_every_end(real, tmp_path):
    """Its relationships name objects by ids of their own; box and name find them."""
    shutil.copytree(real / "visual_genome", tmp_path / "vg")
    for path in (real / "visual_genome/extra/v1.0").iterdir():
        shutil.copy(path, tmp_path / "vg")
    source = read_real(real, tmp_path / "vg", object_side=0, **ANY)
    raw = {
        kind: [len(record[kind]) for record in json.loads((tmp_path / "vg" / f"{kind}.json").read_text())]
        for kind in ("objects", "relationships")
    }
    found = graphs(source).values()
    assert [graph[1] for graph in found] == raw["relationships"] == [36, 23, 17, 28]
    assert [graph[0] for graph in found] == raw["objects"]
    clock = next(item for item in source.scene("train", 0).objects if item.category == "clock")
    assert clock.attributes == ("green",)


def swapped(real: Path, root: Path, **files: Any) -> Path:
    """Return a copy of the real sample with other contents of some files; `None` takes one away."""
    shutil.copytree(real / "visual_genome", root, ignore=shutil.ignore_patterns("extra"))
    for name, content in files.items():
        path = root / f"{name}.json"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(json.dumps(content))
    return root


def folded(real: Path, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the sample's objects with those folded together that the ends of relationships of 1.4 say are one."""
    ends = [record[end] for image in told for record in image["relationships"] for end in ("subject", "object")]
    merged = {end["object_id"]: end["merged_object_ids"] for end in ends if "merged_object_ids" in end}
    gone = {identifier for ids in merged.values() for identifier in ids}
    objects = json.loads((real / "visual_genome/objects.json").read_text())
    for image in objects:
        image["objects"] = [item for item in image["objects"] if item["object_id"] not in gone]
        for item in image["objects"]:
            item["merged_object_ids"] = merged.get(item["object_id"], [])
    assert len(gone) == 6
    return objects


def test_relationships_of_1_2_and_1_4_mean_the_same_objects(real, tmp_path):
    """With the objects of 1.4: those of 1.2 name folded ids; some ends of 1.4 have `names`, others one `name`."""
    told = json.loads((real / "visual_genome/relationships.json").read_text())
    for place, image in enumerate((1, 2)):
        excerpt = real / f"visual_genome/extra/v1.4_excerpts/relationships_image{image}.json"
        told[place] = json.loads(excerpt.read_text())
    objects = folded(real, told)
    older = read_real(real, swapped(real, tmp_path / "older", objects=objects), **ANY)
    newer = read_real(real, swapped(real, tmp_path / "newer", objects=objects, relationships=told), **ANY)
    assert annotations(newer) == annotations(older) and len(annotations(newer)) == 4
    assert older.filters()["train"]["read"]["relationships"] == sum(len(image["relationships"]) for image in told)


def test_scene_graphs_stand_for_three_files(real, tmp_path):
    """A relationship of theirs whose id resolves to no object is skipped."""
    derived = json.loads((real / "visual_genome/extra/scene_graphs_derived.json").read_text())
    derived[0]["relationships"].append({"predicate": "on", "subject_id": -1, "object_id": -2})
    gone = {"objects": None, "relationships": None, "attributes": None}
    single = read_real(real, swapped(real, tmp_path / "vg", **gone, scene_graphs=derived))
    apart = read_real(real)
    assert single.vocabulary == apart.vocabulary and single.filters() == apart.filters()
    assert annotations(single) == annotations(apart)


def test_any_part_of_the_layout_will_do(real, tmp_path):
    """One photograph missing, no attributes, no relationships of image 4, and both folders of images in one."""
    told = json.loads((real / "visual_genome/relationships.json").read_text())
    told = [record for record in told if record["image_id"] != 4]
    root = swapped(real, tmp_path / "vg", relationships=told, attributes=None)
    (root / "VG_100K_2/1.jpg").rename(root / "VG_100K/1.jpg")
    (root / "VG_100K_2").rmdir()
    (root / "VG_100K/2.jpg").unlink()
    source = read_real(real, root, **ANY)
    assert graphs(source).keys() == {1, 4, 5} and graphs(source)[4][1] == 0
    assert source.filters()["train"]["file missing"]["images"] == 1
    assert source.vocabulary.attributes == () and source.vocabulary.categories
    assert source.scene("train", 0).image.startswith(b"\xff\xd8")


def test_phrases_of_regions_become_captions(real):
    root, splits = str(real / "visual_genome"), str(real / "sg2im/vg_splits.json")
    source = VisualGenome(root=root, splits=splits, captions="regions", filters=recipe())
    regions = json.loads((real / "visual_genome/region_descriptions.json").read_text())
    phrases = [region["phrase"].strip() for region in next(r["regions"] for r in regions if r["id"] == 2)]
    assert source.scene("train", 0).id == "2" and source.scene("train", 0).captions == tuple(phrases)


def test_without_filters_every_word_stays(real):
    source = VisualGenome(
        root=str(real / "visual_genome"), splits=str(real / "sg2im/vg_splits.json"), captions=None, filters={}
    )
    scenes = [source.scene("train", row) for row in range(source.count("train"))]
    assert len(scenes) == 4 and sum(len(scene.objects) for scene in scenes) == 125
    assert {item.category for scene in scenes for item in scene.objects} == set(source.vocabulary.categories)
    assert {word for scene in scenes for o in scene.objects for word in o.attributes} == set(
        source.vocabulary.attributes
    )
    assert all(0 <= edge <= 1 for scene in scenes for item in scene.objects for edge in item.box)


@pytest.mark.parametrize("option", ["visual_genome", "vg_sg2im", "vg_layout2im"])
def test_options_are_the_recipe_of_sg2im(real, option):
    """Lowered to the sample's size, each option finds what the script does; as published, nothing is frequent."""
    paths = [f"source.root={real / 'visual_genome'}", f"source.splits={real / 'sg2im/vg_splits.json'}"]
    lowered = [f"source.filters.frequent_{words}.least=1" for words in ("attributes", "categories", "predicates")]
    source = build(compose("pack", [f"source={option}", "out=x", *paths, *lowered])["source"])
    assert source.filters() == read_real(real).filters() and source.vocabulary == read_real(real).vocabulary
    source = build(compose("pack", [f"source={option}", "out=x", *paths])["source"])
    given = [{k: v for k, v in step.items() if k not in ("name", "filter")} for step in source.settings()["filters"]]
    sg2im = [{"least": 200}, *[{"least": 2000}] * 2, {"least": 32}, {"least": 500}]
    assert given == [*sg2im, {"least": 3, "most": 30}, {"least": 1, "most": 30}]


def test_packed_photographs(real, tmp_path, make_packing):
    out = tmp_path / "out"
    spec = make_packing(image_size=256).write(read_real(real), out, quiet=True)
    shards = Shards.below(out, "train")
    assert sorted(shards.scene(row).id for row in range(len(shards))) == ["2", "4"]
    assert min(shards.scene(0).width, shards.scene(0).height) == 256
    assert spec["evaluation"] == "no val or test images: evaluated on train"
    assert evaluation_split(out) == ("train", "no val or test images: evaluated on train")


def test_thresholds_that_leave_nothing_are_explained(real, tmp_path, make_packing):
    words = r"4 dropped by object_count\n[\s\S]*source\.filters\.frequent_categories\.least=1"
    with pytest.raises(FridoError, match=words):
        make_packing().write(read_real(real, categories=2000), tmp_path / "out", quiet=True)


@pytest.fixture(scope="module")
def layout(tmp_path_factory, make_source) -> Path:
    out = tmp_path_factory.mktemp("layout") / "vg"
    VisualGenomeWriter(quality=95).write(make_source(train=20, resolution=64), out)
    return out


def read(root: Path, **changes: Any) -> VisualGenome:
    small = {"image_side": 32, "object_side": 1, "objects": (1, 30), "relationships": (0, 30)}
    return VisualGenome(root=str(root), splits=None, captions=None, filters=recipe(**(small | changes)))


def test_scenes_survive_the_round_trip(layout, tmp_path, make_source, make_packing):
    """Scenes -> Visual Genome's files -> shards -> scenes."""
    make_packing().write(read(layout), tmp_path / "packed", quiet=True)
    source = make_source(train=20, resolution=64)
    first = 1
    for split in ("train", "val", "test"):
        shards = Shards.below(tmp_path / "packed", split)
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
    assert graphs(read(root)) == graphs(read(layout))
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
    assert graphs(read(root)) == graphs(read(layout))
    assert annotations(read(root)) == annotations(read(layout))


def test_an_own_id_comes_before_a_merged_one(layout, tmp_path):
    def claim(records):
        """Make every image's last object claim the id of its first."""
        for record in records:
            record["objects"][-1]["merged_object_ids"] = [record["objects"][0]["object_id"]]

    assert graphs(read(edit(layout, tmp_path, "objects.json", claim))) == graphs(read(layout))
    assert annotations(read(tmp_path / "edited")) == annotations(read(layout))


def test_small_objects_and_their_relationships_go(layout):
    source, all_ = read(layout, object_side=26, **ANY), read(layout, **ANY)
    fewer, every = graphs(source), graphs(all_)
    assert all(fewer[image][0] <= every[image][0] and fewer[image][1] <= every[image][1] for image in every)
    dropped = source.filters()["train"]["object_side"]
    assert dropped["objects"] > 0 and dropped["relationships"] > 0 and dropped["images"] == 0


def test_sides_are_measured_as_drawn_and_boxes_clipped(layout, tmp_path):
    """A box of 40 px of which 20 lie outside is large enough for a threshold of 32, as for sg2im."""

    def spill(records):
        records[0]["objects"][0] |= {"x": -20, "y": 32, "w": 40, "h": 99}

    source = read(edit(layout, tmp_path, "objects.json", spill), object_side=32, objects=(0, 99))
    first = source.scene("train", 0).objects[0]
    assert type(first) is Object and first.box == (0, 0.5, 20 / 64, 1)


def test_rare_words_are_not_in_the_vocabulary(layout):
    counts: dict[str, int] = {}
    for scene in annotations(read(layout)):
        for item in scene.objects:
            counts[item.category] = counts.get(item.category, 0) + 1
    least = sorted(counts.values())[2]
    source = read(layout, categories=least)
    assert set(source.vocabulary.categories) == {k for k, v in counts.items() if v >= least}
    assert list(source.vocabulary.categories) == sorted(source.vocabulary.categories, key=lambda word: -counts[word])


def test_blank_names_and_predicates_are_nothing(layout, tmp_path):
    def blank(records):
        records[0]["objects"][0]["names"] = [" "]

    def empty(records):
        for told in records[1]["relationships"]:
            told["predicate"] = ""

    edit(layout, tmp_path, "objects.json", blank)
    root = edit(layout, tmp_path, "relationships.json", empty)
    found, before = graphs(read(root, **ANY)), graphs(read(layout, **ANY))
    assert found[1][0] == before[1][0] - 1 and found[2] == (before[2][0], 0)
    assert "" not in read(root).vocabulary.categories


def test_dropped_images_leave_memory(layout):
    source = read(layout, objects=(3, 30))
    kept = sum(source.count(split) for split in ("train", "val", "test"))
    assert 0 < kept < 35 and len(source._graphs) == len(source._images) == kept


def test_missing_images_are_counted(layout, tmp_path):
    root = shutil.copytree(layout, tmp_path / "fewer")
    (root / "VG_100K" / "3.jpg").unlink()
    source = read(root)
    assert source.filters()["train"]["file missing"]["images"] == 1 and source.count("train") == 19
    (root / "VG_100K" / "1.jpg").unlink()
    with pytest.raises(FridoError, match=r"VG_100K/1\.jpg"):
        source.scene("train", 0)


@pytest.mark.parametrize(
    "name",
    ["image_data.json", "objects.json", "relationships.json", "object_alias.txt", "vg_splits.json"],
)
def test_missing_files_are_named(layout, tmp_path, name):
    root = shutil.copytree(layout, tmp_path / "broken", ignore=shutil.ignore_patterns(name))
    with pytest.raises(FridoError, match=name):
        read(root)


def test_where_the_splits_are_to_be_had(layout, tmp_path):
    root = shutil.copytree(layout, tmp_path / "unsplit", ignore=shutil.ignore_patterns("vg_splits.json"))
    with pytest.raises(FridoError, match=r"sg2im/data/vg_splits\.json of google/sg2im.*source\.splits=FILE"):
        read(root)


def test_splits_of_other_images_are_refused(layout, tmp_path):
    root = edit(layout, tmp_path, "vg_splits.json", lambda _: {"train": [7_000], "val": [], "test": []})
    with pytest.raises(FridoError, match="none of the 1 images of the splits"):
        read(root)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[{"image_id": 1, "obj', "no JSON"),
        ('[{"image_id": 1, "objects": []}', "no JSON"),
        ('{"objects": []}', "a list of records"),
        ('[{"image_id": 1, "objets": []}]', "'objects'"),
        ('[{"image_id": 1, "objects": [{"object_id": 3, "names": ["a"], "x": 1, "y": 1, "w": 1}]}]', "'h'"),
    ],
)
def test_broken_records_are_named(layout, tmp_path, content, says):
    root = shutil.copytree(layout, tmp_path / "broken")
    (root / "objects.json").write_text(content)
    with pytest.raises(FridoError, match=rf"objects\.json\n(.*\n)*.*{says}"):
        read(root)


def test_records_are_read_across_the_edges_of_chunks(tmp_path, monkeypatch):
    wanted = [{"image_id": number, "text": 'a ], "b" {' * (number % 7)} for number in range(50)]
    (tmp_path / "file.json").write_text(json.dumps(wanted, indent=1))
    for chunk in (101, 128, 1000):
        monkeypatch.setattr(records, "CHUNK", chunk)
        assert list(records.stream(tmp_path / "file.json")) == wanted
