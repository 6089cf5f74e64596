import csv
import os
import pickle
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from frido.contracts.errors import FridoError
from frido.contracts.scene import Relationship
from frido.data.filters.attributes import WithoutAttributes
from frido.data.filters.crowds import WithoutCrowds
from frido.data.filters.group_names import GroupNames
from frido.data.shards import Shards
from frido.data.sources.open_images import OpenImages

CONF = Path(__file__).parents[2] / "conf"
HEAD = "Confidence,ImageID,IsInside,LabelName,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction"
PAIRS = "ImageID,LabelName1,LabelName2,XMin1,XMax1,YMin1,YMax1,XMin2,XMax2,YMin2,YMax2,RelationshipLabel"


@pytest.fixture(scope="module")
def real() -> Path:
    if "FRIDO_REALDATA" not in os.environ:
        pytest.skip("FRIDO_REALDATA is not set")
    return Path(os.environ["FRIDO_REALDATA"]) / "open_images"


def rows_of(real: Path, name: str) -> list[dict[str, str]]:
    with (real / f"{name}-annotations-bbox.csv").open() as file:
        return list(csv.DictReader(file))


def recipe(name: str, root: Path) -> OpenImages:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("pack", overrides=[f"source={name}", f"source.root={root}", "out=out"])
    return instantiate(config.source, _convert_="all")


def write(root: Path, boxes: list[str], pairs: list[str] = (), head: str = HEAD) -> OpenImages:
    """Write a small layout in place, images `a` and `b`, and read it."""
    (root / "train").mkdir(exist_ok=True)
    for name in "ab":
        (root / f"train/{name}.jpg").write_bytes(b"")
    (root / "train-annotations-bbox.csv").write_text("\n".join([head, *boxes]) + "\n")
    (root / "oidv7-class-descriptions-boxable.csv").write_text(
        'LabelName,DisplayName\n/m/2,Cup\n/m/01s55n,Suitcase\n/m/1,"Egg (Food)"\n'
    )
    if pairs:
        (root / "oidv6-train-annotations-vrd.csv").write_text("\n".join([PAIRS, *pairs]) + "\n")
        (root / "oidv6-attributes-description.csv").write_text("/m/9,Wooden\n")
    return OpenImages(root=str(root), filters={})


def test_counts_are_those_of_the_files(real):
    source = OpenImages(root=str(real), filters={})
    for split, name in (("train", "oidv6-train"), ("val", "validation")):
        rows = rows_of(real, name)
        scenes = [source.scene(split, index) for index in range(source.count(split))]
        assert source.filters()[split]["kept"] == {"images": 14, "objects": len(rows), "relationships": 0}
        assert Counter(row["ImageID"] for row in rows) == {scene.id: len(scene.objects) for scene in scenes}
        for column, word in (("IsGroupOf", "group"), ("IsOccluded", "occluded"), ("IsDepiction", "depiction")):
            found = sum(word in item.attributes for scene in scenes for item in scene.objects)
            assert found == sum(row[column] == "1" for row in rows)
        boxes = {(s.id, *(f"{edge:.6f}" for edge in item.box)) for s in scenes for item in s.objects}
        told = ("XMin", "YMin", "XMax", "YMax")
        assert boxes == {(row["ImageID"], *(f"{float(row[edge]):.6f}" for edge in told)) for row in rows}


def test_some_flags_are_unknown_and_none_of_these_is_true(real):
    unknown = [row for row in rows_of(real, "oidv6-train") if row["IsGroupOf"] == "-1"]
    source = OpenImages(root=str(real), filters={})
    scenes = {(scene := source.scene("train", index)).id: scene for index in range(source.count("train"))}
    assert unknown
    for row in unknown:
        left = float(row["XMin"])
        assert all(item.attributes == () for item in scenes[row["ImageID"]].objects if item.box[0] == left)


def test_every_real_image_packs(real, tmp_path, make_packing):
    make_packing(image_size=64).write(OpenImages(root=str(real), filters={}), tmp_path / "out", quiet=True)
    for split in ("train", "val"):
        shards = Shards.below(tmp_path / "out", split)
        assert len(shards) == 14
        assert all(min(shards.scene(row).width, shards.scene(row).height) == 64 for row in range(14))


def test_fiftyones_layout_says_the_same(real, tmp_path):
    for name, table in (("train", "oidv6-train"), ("validation", "validation")):
        folder = tmp_path / name
        (folder / "labels").mkdir(parents=True)
        (folder / "metadata").mkdir()
        shutil.copytree(real / name, folder / "data")
        shutil.copy(real / f"{table}-annotations-bbox.csv", folder / "labels/detections.csv")
        shutil.copy(real / "class-descriptions-boxable.csv", folder / "metadata/classes.csv")
    flat, same = (OpenImages(root=str(root), filters={}) for root in (real, tmp_path))
    assert same.vocabulary == flat.vocabulary
    for split in ("train", "val"):
        assert [same.scene(split, k) for k in range(14)] == [flat.scene(split, k) for k in range(14)]


def test_numbers_of_fridos_and_ldms_categories(real):
    """352 published names, 12 of them merged into others; Frido numbers all 601 classes, LDM those that are left."""
    for name, categories in (("openimages_layout2im", 601), ("ldm_openimages_layout", 340)):
        source = recipe(name, real)
        words = source.vocabulary.categories
        assert len(words) == 2 * categories and words[categories - 1] == "Suitcase"
        assert words[0] == "Tortoise"  # /m/011k07, the first of all ids
        assert words[categories:] == tuple(f"{word} (group)" for word in words[:categories])
        scenes = [source.scene(split, k) for split in ("train", "val") for k in range(source.count(split))]
        used = Counter(item.category for scene in scenes for item in scene.objects)
        assert used["Person"] and not used["Man"] and used["Person (group)"]
        assert all(2 <= len(scene.objects) <= 30 for scene in scenes) and used.keys() <= set(words)
    assert "Man" in recipe("openimages_layout2im", real).vocabulary.categories
    assert "Man" not in words


def test_columns_are_found_by_name_and_rows_of_an_image_anywhere(tmp_path):
    source = write(
        tmp_path,
        [
            "1,b,0,/m/1,0.1,0.5,0.2,0.6,0,0,0,0",
            "1,a,0,/m/2,0.0,1.0,0.0,1.0,1,-1,1,-1",
            "1,b,1,/m/01s55n,0.3,0.4,0.5,0.9,0,0,-1,1",
        ],
    )
    assert source.vocabulary.categories == ("Egg (Food)", "Cup", "Suitcase")
    first, second = (source.scene("train", index) for index in (0, 1))
    assert (first.id, second.id) == ("a", "b")
    assert [(o.category, o.box, o.attributes) for o in first.objects] == [
        ("Cup", (0.0, 0.0, 1.0, 1.0), ("occluded", "group"))
    ]
    assert [(o.category, o.box, o.attributes) for o in second.objects] == [
        ("Egg (Food)", (0.1, 0.2, 0.5, 0.6), ()),
        ("Suitcase", (0.3, 0.5, 0.4, 0.9), ("depiction", "inside")),
    ]
    assert pickle.loads(pickle.dumps(source)).scene("train", 1) == second


def test_relationships_find_their_boxes(tmp_path):
    source = write(
        tmp_path,
        [
            "1,a,0,/m/1,0.1,0.5,0.2,0.6,0,0,0,0",
            "1,a,0,/m/2,0.1,0.5,0.2,0.6,0,0,1,0",
            "1,b,0,/m/2,0.0,1.0,0.0,1.0,0,0,0,0",
        ],
        [
            "a,/m/2,/m/1,0.1004,0.5,0.2,0.6,0.1,0.5,0.2,0.5996,on",
            "a,/m/1,/m/9,0.1,0.5,0.2,0.6,0.1,0.5,0.2,0.6,is",
            "a,/m/1,/m/01s55n,0.1,0.5,0.2,0.6,0.7,0.8,0.9,1.0,inside_of",
        ],
    )
    first = source.scene("train", 0)
    assert [item.category for item in first.objects] == ["Egg (Food)", "Cup", "Suitcase"]
    assert first.objects[0].attributes == ("Wooden",) and first.objects[2].box == (0.7, 0.9, 0.8, 1.0)
    assert first.relationships == (Relationship(1, "on", 0), Relationship(0, "inside_of", 2))
    assert source.vocabulary.predicates == ("inside_of", "on")
    assert source.vocabulary.attributes[-1] == "Wooden"
    assert source.scene("train", 1).relationships == ()


def test_groups_apart_or_left_out(tmp_path):
    write(tmp_path, ["1,a,0,/m/1,0,1,0,1,0,0,1,0", "1,a,0,/m/1,0,1,0,1,0,0,-1,1", "1,b,0,/m/2,0,1,0,1,0,0,0,0"])

    def categories(**filters) -> list[str]:
        return [o.category for o in OpenImages(root=str(tmp_path), filters=filters).scene("train", 0).objects]

    assert categories(groups=GroupNames()) == ["Egg (Food) (group)", "Egg (Food)"]
    assert categories(crowds=WithoutCrowds()) == ["Egg (Food)"]
    assert categories(drawn=WithoutAttributes(names=["depiction"]), groups=GroupNames()) == ["Egg (Food) (group)"]


def test_settings_tell_what_was_read(tmp_path):
    boxes, pairs = ["1,a,0,/m/1,0,1,0,1,0,0,1,0"], ["a,/m/1,/m/1,0,1,0,1,0,1,0,1,on"]
    first = write(tmp_path, boxes, pairs).settings()["annotations"]
    assert list(first) == [
        *("train-annotations-bbox.csv", "oidv6-train-annotations-vrd.csv"),
        *("oidv7-class-descriptions-boxable.csv", "oidv6-attributes-description.csv"),
    ]
    other = write(tmp_path, ["1,a,0,/m/1,0,1,0,1,0,0,0,0"], pairs).settings()["annotations"]
    assert {name for name in first if first[name] != other[name]} == {"train-annotations-bbox.csv"}


def test_part_of_the_images_will_do(tmp_path):
    write(tmp_path, ["1,a,0,/m/1,0,1,0,1,0,0,1,0", "1,b,0,/m/2,0,1,0,1,0,0,0,0"])
    (tmp_path / "train/a.jpg").unlink()
    source = OpenImages(root=str(tmp_path), filters={})
    assert source.count("train") == 1 and source.filters()["train"]["file missing"]["images"] == 1


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FridoError, match="no table of boxes"):
        OpenImages(root=str(tmp_path), filters={})
    with pytest.raises(FridoError, match="a column XMax"):
        write(tmp_path, [], head="ImageID,LabelName,XMin,YMin,YMax")
    with pytest.raises(FridoError, match="/m/77"):
        write(tmp_path, ["1,a,0,/m/77,0,1,0,1,0,0,0,0"])
    (tmp_path / "oidv7-class-descriptions-boxable.csv").unlink()
    with pytest.raises(FridoError, match="no class names"):
        OpenImages(root=str(tmp_path), filters={})
