"""The two dataset nodes as the stages of a run use them."""

import shutil
from pathlib import Path

import pytest
import torch

from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.options import config_dir
from frido.contracts.errors import FridoError
from frido.data.dataset import Dataset
from frido.data.evaluation import evaluation_split
from frido.data.mixed import MixedData
from frido.data.packed import PackedData
from frido.data.procedural import ProceduralData
from frido.data.reading import Reading
from frido.data.shards import Shards, read_spec


@pytest.fixture
def reading(make_reading) -> Reading:
    return make_reading(cache_mb=16)


def packed(root: Path, reading: Reading, *, source: str = "scenes", recipe: str = "main") -> PackedData:
    where = {"shards": str(root), "cache_gb": 0.0, "cache_dir": "nowhere"}
    return PackedData(**where, pack_source=source, pack_recipe=recipe, reading=reading, max_loss=0)


def test_procedural_scenes_are_rendered_once(tmp_path, make_source, make_packing, reading):
    data = ProceduralData(source=make_source(), packing=make_packing(), reading=reading, max_loss=0)
    root = data.prepare(tmp_path / "cache")
    before = {path.name: path.stat().st_mtime_ns for path in root.iterdir()}
    assert data.prepare(tmp_path / "cache") == root
    assert {path.name: path.stat().st_mtime_ns for path in root.iterdir()} == before
    other = ProceduralData(source=make_source(seed=5), packing=make_packing(), reading=reading, max_loss=0)
    assert {path.name: path.stat().st_mtime_ns for path in other.prepare(tmp_path / "cache").iterdir()} != before


def test_both_nodes_read_alike(dataset, make_source, make_packing, reading):
    first = ProceduralData(source=make_source(), packing=make_packing(), reading=reading, max_loss=0)
    second = packed(dataset, reading)
    settings = {"batch": 6, "rank": 0, "world_size": 1, "seed": 4}
    batches = [data.stream(data.prepare(dataset), **settings).at(30) for data in (first, second)]
    assert batches[0].ids == batches[1].ids and torch.equal(batches[0].images, batches[1].images)


def test_missing_shards_say_what_to_type(tmp_path, reading):
    data = packed(tmp_path / "vg", reading, source="visual_genome", recipe="vg_sg2im")
    with pytest.raises(FridoError) as error:
        data.prepare(tmp_path)
    assert f"python -m frido.pack source=visual_genome source.root=DIR out={tmp_path / 'vg'}" in str(error.value)
    assert "python -m frido.run experiment=vg_sg2im data=scenes" in str(error.value)


def test_damaged_shards_are_found_before_training(dataset, tmp_path, reading):
    copy = shutil.copytree(dataset, tmp_path / "copy")
    (copy / "val-000000.tar").unlink()
    with pytest.raises(FridoError, match=r"val-000000\.tar"):
        packed(copy, reading).prepare(tmp_path)


def test_evaluation_takes_what_is_there_and_says_so(dataset, tmp_path, make_source, make_packing):
    assert evaluation_split(dataset) == ("val", None)
    make_packing().write(make_source(val=0), tmp_path / "no-val", quiet=True)
    assert evaluation_split(tmp_path / "no-val") == ("test", "no val images: evaluated on test")


@pytest.mark.parametrize("option", [path.stem for path in sorted((config_dir() / "data").glob("*.yaml"))])
@pytest.mark.parametrize("size", ["tiny", "paper"])
def test_options_build_a_node_with_the_same_methods(option, size):
    config = compose("run", [f"data={option}", f"size={size}"])
    data = build(config["data"])
    assert isinstance(data, Dataset)
    assert data.reading.resolution == config["size"]["resolution"]


def test_datasets_mix_by_weight(dataset, tmp_path, make_source, make_packing, reading):
    other = tmp_path / "other"
    make_packing().write(make_source(train=20, val=4, test=0, seed=5), other, quiet=True)
    where = {"cache_gb": 0.0, "cache_dir": "nowhere", "reading": reading, "max_loss": 0, "grain": 2}
    data = MixedData(shards=[str(dataset), str(other)], weights=[1.0, 3.0], **where)
    root = data.prepare(tmp_path / "cache")
    assert len(data.rows(root, "train")) == 80 and len(data.rows(root, "val")) == 14
    assert len(data.rows(root, "test")) == 5, "only one of them has such a split"
    assert evaluation_split(root) == ("val", None)
    stream = data.stream(root, batch=512, rank=0, world_size=1, seed=0)  # all that is due is in 256 grains of 2
    mine = {Shards.below(other, "train").scene(row).image for row in range(20)}
    rows = data.rows(root, "train")
    places = rows.order(seed=0).indices(stream.at(0).positions.numpy())
    assert sum(rows.scene(int(row)).image in mine for row in places) == 384
    (other / "train-000001.tar").unlink()
    with pytest.raises(FridoError, match=r"other/train-000001\.tar"):
        data.prepare(tmp_path / "cache")


def test_held_out_scenes_of_a_mixture_have_the_ids_of_training(tmp_path, make_source, make_packing, reading):
    """Only the second has a split to hold out, and its words are other ones."""
    make_packing().write(make_source(val=0, test=0), tmp_path / "first", quiet=True)
    make_packing(image_node=True).write(make_source(train=5, val=3, test=0), tmp_path / "second", quiet=True)
    where = {"cache_gb": 0.0, "cache_dir": "nowhere", "reading": reading, "max_loss": 0, "grain": 2}
    data = MixedData(shards=[str(tmp_path / "first"), str(tmp_path / "second")], weights=[1.0, 1.0], **where)
    root = data.prepare(tmp_path / "cache")
    rows = {split: data.rows(root, split) for split in ("train", "val")}
    assert rows["val"].vocabulary == rows["train"].vocabulary
    assert list(rows["val"].vocabulary.categories) == read_spec(root)["vocabulary"]["categories"]
    assert rows["val"].vocabulary.categories.index("__image__") > 0
    assert rows["val"].lost(0, FridoError("x", got=1, wanted="y", do="z")).shard == "1/val-000000.tar"


def test_a_mixture_notices_that_a_part_was_packed_anew(tmp_path, make_source, make_packing, reading):
    for name in ("first", "second"):
        make_packing().write(make_source(train=5, val=3, test=0), tmp_path / name, quiet=True)
    where = {"cache_gb": 0.0, "cache_dir": "nowhere", "reading": reading, "max_loss": 0, "grain": 2}
    data = MixedData(shards=[str(tmp_path / "first"), str(tmp_path / "second")], weights=[1.0, 1.0], **where)
    root = data.prepare(tmp_path / "cache")
    make_packing().write(make_source(train=6, val=3, test=0), tmp_path / "second", overwrite=True, quiet=True)
    with pytest.raises(FridoError, match=r"second/dataset\.json, a part of the mixture"):
        data.rows(root, "train")
    assert len(data.rows(data.prepare(tmp_path / "cache"), "train")) == 11


def test_weights_of_a_mixture_are_positive_and_as_many(reading):
    where = {"cache_gb": 0.0, "cache_dir": "nowhere", "reading": reading, "max_loss": 0, "grain": 2}
    for weights in ([1.0], [1.0, 0.0], [1.0, 1.0, 1.0]):
        with pytest.raises(FridoError, match="as many positive weights"):
            MixedData(shards=["x", "y"], weights=weights, **where)
