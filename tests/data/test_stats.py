"""`python -m frido.pack stats`: what is counted is what is there, and the page shows it."""

import re

from frido.contracts.scene import Object, Scene
from frido.data.packing import statistics
from frido.data.packing.statistics import SIZES, read
from frido.data.shards import Shards
from frido.pack import main
from frido.report.dataset import histogram


def test_counts_are_those_of_the_scenes(dataset):
    found = read(dataset, processes_=1, quiet=True)
    scenes = [
        shards.scene(row)
        for split in ("train", "val", "test")
        for shards in [Shards.below(dataset, split)]
        for row in range(len(shards))
    ]
    objects = [item for scene in scenes for item in scene.objects]
    assert found.scenes == {"train": 60, "val": 10, "test": 5} and list(found.scenes) == ["train", "val", "test"]
    assert found.categories["star"] == sum(item.category == "star" for item in objects)
    assert found.attributes["red"] == sum("red" in item.attributes for item in objects)
    assert found.predicates.total() == sum(len(scene.relationships) for scene in scenes)
    assert found.objects[2] == sum(len(scene.objects) == 2 for scene in scenes)
    assert found.sizes.total() == len(objects) and found.sides == {32: 75} and found.captions == {1: 75}
    assert read(dataset, processes_=2, quiet=True) == found


def test_the_size_of_a_box_is_the_root_of_its_share():
    found = statistics.Statistics()
    boxes = [(0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 0.5), (0.0, 0.0, 1.0, 0.25), (0.3, 0.3, 0.3, 0.9)]
    statistics._count(found, "train", Scene("s", tuple(Object("x", box) for box in boxes), width=30, height=20))
    assert found.sizes == {SIZES - 1: 1, SIZES // 2: 2, 0: 1} and found.sides == {20: 1}


def test_histograms_hold_every_value_once():
    assert histogram(statistics.Counter({3: 5, 5: 1})) == [("3", 5), ("4", 0), ("5", 1)]
    wide = histogram(statistics.Counter(range(10, 110)))
    assert len(wide) <= 32 and sum(number for _, number in wide) == 100 and wide[0][0] == "10–13"


def test_the_page_shows_every_split_and_loads_nothing(dataset, tmp_path, capsys):
    out = tmp_path / "stats.html"
    assert main(["stats", str(dataset), "--out", str(out), "--scenes", "2", "--processes", "1"]) == 0
    printed, page = capsys.readouterr().out, out.read_text()
    assert "images: 60 train, 10 val, 5 test" in printed and f"wrote {out}" in printed
    assert page.count("<article") == 6 and page.count("data:image/webp") == 6 and page.count('class="sg"') == 6
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    for words in ("star", "striped", "near", "made by a program", "Objects in an image", "root of the share"):
        assert words in page


def test_damage_is_named(dataset, tmp_path, capsys):
    import shutil

    copy = shutil.copytree(dataset, tmp_path / "copy")
    (copy / "train-000000.tar").write_bytes(b"")
    assert main(["stats", str(copy), "--processes", "1"]) == 2
    assert "verify" in capsys.readouterr().err
