"""`python -m frido.pack index`: tars of other programs become a dataset; what cannot be trusted is refused."""

import io
import json
import os
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.scene import Object, Relationship, Scene
from frido.data.framing.base import Frame
from frido.data.images import decoded
from frido.data.packing import foreign, indexing
from frido.data.packing.verify import verify
from frido.data.shards import Shards, read_spec
from frido.pack import main

OURS = Scene(
    "ours",
    (Object("cat", (0.0, 0.0, 0.5, 1.0), ("black",)), Object("dog", (0.5, 0.0, 1.0, 1.0))),
    (Relationship(0, "near", 1),),
    ("a cat near a dog",),
    width=12,
    height=8,
)


def picture(seed: int, kind: str = "PNG", size: tuple[int, int] = (12, 8)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def write(folder: Path, name: str, *samples: dict) -> None:
    """Write a shard with webdataset's own ShardWriter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from webdataset import ShardWriter

        with ShardWriter(str(folder / name), maxcount=100, verbose=0) as writer:
            for sample in samples:
                writer.write(sample)


def tar(folder: Path, *members: tarfile.TarInfo | tuple[str, bytes]) -> Path:
    path = folder / "train-000000.tar"
    with tarfile.open(path, "w:") as file:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                file.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                file.addfile(info, io.BytesIO(member[1]))
    return path


def link(name: str, kind: bytes, target: str = "0.png") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def indexed(tmp_path, make_packing) -> Path:
    write(
        tmp_path,
        "train-%06d.tar",
        {"__key__": "a", "png": picture(0), "cls": 7, "txt": "seven"},
        {"__key__": "b", "jpg": picture(1, "JPEG"), "cls": 2, "json": {"caption": "two", "more": [1]}},
        {"__key__": "c/d.e/f", "image.webp": picture(2, "WEBP"), "caption.txt": b"not read"},
    )
    write(tmp_path, "validation_%02d.tar", {"__key__": "v", "png": picture(3), "cls": 0})
    write(tmp_path, "anything-%d.tar", {"__key__": "x", "png": picture(4), "cls.txt": b"1\n", "caption": b" one "})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    indexing.write(make_packing(), tmp_path, quiet=True)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.tar")} == before
    return tmp_path


def test_tars_of_webdataset_become_a_dataset(indexed):
    spec = read_spec(indexed)
    assert {split: part["scenes"] for split, part in spec["splits"].items()} == {"train": 4, "val": 1}
    assert spec["vocabulary"]["categories"] == [str(number) for number in range(8)], "a word's index is its number"
    shards = Shards.below(indexed, "train")
    scenes = {scene.id: scene for scene in (shards.scene(row) for row in range(len(shards)))}
    whole = (0.0, 0.0, 1.0, 1.0)
    assert scenes["a"] == Scene("a", (Object("7", whole),), (), ("seven",), picture(0), 12, 8)
    assert scenes["b"] == Scene("b", (Object("2", whole),), (), ("two",), picture(1, "JPEG"), 12, 8)
    assert scenes["c_d_e_f"] == Scene("c_d_e_f", (), (), (), picture(2, "WEBP"), 12, 8)
    assert scenes["x"] == Scene("x", (Object("1", whole),), (), ("one",), picture(4), 12, 8)
    assert shards.vocabulary.tokenizer and (indexed / "tokenizer.json").is_file()
    assert verify(indexed, processes_=1, quiet=True) == []


def test_scenes_of_ours_stay_in_the_tar_and_others_move_to_the_index(tmp_path, make_packing):
    packed = OURS.to_json()
    short = {"objects": [{"category": "cow", "box": [0, 0, 1, 1]}]}
    write(
        tmp_path,
        "train-%06d.tar",
        {"__key__": "ours", "png": picture(0), "json": packed},
        {"__key__": "short", "png": picture(1), "json": short, "cls": 3},
    )
    indexing.write(make_packing(), tmp_path, quiet=True)
    shards = Shards.below(tmp_path, "train")
    assert shards.scene(0) == Scene.from_json(packed, picture(0))
    assert shards.scene(1).objects == (Object("cow", (0.0, 0.0, 1.0, 1.0)),) and shards.scene(1).width == 12
    rows = json.loads((tmp_path / "train-000000.index.json").read_text())["samples"]
    assert "cat" not in json.dumps(rows[0]) and "cow" in json.dumps(rows[1])
    spec = read_spec(tmp_path)
    assert spec["vocabulary"] == {"categories": ["cat", "cow", "dog"], "attributes": ["black"], "predicates": ["near"]}


def test_shards_of_ours_read_the_same_through_an_index_of_others(tmp_path, dataset, make_packing):
    for path in dataset.glob("*.tar"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    spec = indexing.write(make_packing(processes=2), tmp_path, quiet=True)
    assert spec["splits"] == read_spec(dataset)["splits"], "the same indexes, byte for byte"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([("/etc/0.png", b"x")], "leads out"),
        ([("a/../../0.png", b"x")], "leads out"),
        ([("0.png", b"x"), link("1.png", tarfile.SYMTYPE)], "a link"),
        ([("0.png", b"x"), link("1.png", tarfile.LNKTYPE)], "a link"),
        ([link("0.png", tarfile.CHRTYPE)], "a device"),
        ([("0.png", b"x"), ("0.png", b"y")], "0.png twice"),
        ([("0.png", b"x"), ("1.png", b"x"), ("0.txt", b"y")], "key 0 twice"),
    ],
)
def test_members_that_are_not_to_be_trusted(tmp_path, members, words):
    with pytest.raises(FridoError, match=words) as error:
        list(foreign.samples(tar(tmp_path, *members)))
    assert "train-000000.tar" in str(error.value)


def test_long_names_folders_and_what_webdataset_passes_over(tmp_path):
    name, folder = "f" * 90 + "/" + "n" * 150, tarfile.TarInfo("f")
    folder.type = tarfile.DIRTYPE
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = tmp_path / "long.tar"
        with tarfile.open(path, "w:", format=form) as file:
            file.addfile(folder)
            for ending in (f"{name}.PNG", "no_dot", "__index__.json"):
                info = tarfile.TarInfo(ending)
                info.size = 4
                file.addfile(info, io.BytesIO(b"1234"))
        ((key, files),) = foreign.samples(path)
        assert key == name and list(files) == ["png"]
        assert path.read_bytes()[files["png"].offset : files["png"].end] == b"1234"


def test_torn_and_compressed_tars(tmp_path):
    path = tar(tmp_path, ("0.png", picture(0)), ("1.png", picture(1)))
    whole = path.read_bytes()
    path.write_bytes(whole[: 512 + 512 + 512 + 20])
    with pytest.raises(FridoError, match=r"train-000000\.tar"):
        list(foreign.samples(path))
    import gzip

    path.write_bytes(gzip.compress(whole))
    with pytest.raises(FridoError, match="uncompressed"):
        list(foreign.samples(path))


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ({"txt": b"no image"}, "one image among them"),
        ({"png": picture(0), "jpg": picture(0, "JPEG")}, "one image among them"),
        ({"png": picture(0)[:60]}, "image of sample k"),
        ({"png": picture(0), "json": b"{"}, "its json"),
        ({"png": picture(0), "json": b'{"objects": [{"category": "cat"}]}'}, "its json"),
        ({"png": picture(0), "json": b'{"objects": 3}'}, "its json"),
        ({"png": picture(0), "txt": b"\xff\xff"}, "UTF-8"),
    ],
)
def test_samples_that_cannot_be_used_are_named_or_counted(tmp_path, make_packing, sample, words):
    files = [(f"k.{name}", content) for name, content in sample.items()]
    tar(tmp_path, ("good.png", picture(5)), *files)
    with pytest.raises(FridoError, match="sample k") as error:
        indexing.write(make_packing(), tmp_path, quiet=True)
    if sample.get("png", picture(0)) == picture(0):
        with pytest.raises(FridoError, match=words):
            foreign.scene_of("k", sample)
    assert "train-000000.tar, " in str(error.value) and "format.max_unreadable=1" in str(error.value)
    assert not (tmp_path / "dataset.json").exists()
    spec = indexing.write(make_packing(max_unreadable=1), tmp_path, quiet=True)
    assert spec["splits"]["train"]["scenes"] == 1 and len(spec["unreadable"]) == 1
    assert verify(tmp_path, processes_=1, quiet=True) == []


def test_tars_of_val_alone_are_a_dataset(tmp_path, make_packing):
    write(tmp_path, "val-%d.tar", {"__key__": "a", "png": picture(0)}, {"__key__": "b", "txt": "no image"})
    write(tmp_path, "test-%d.tar", {"__key__": "c", "png": b"torn"})
    with pytest.raises(FridoError, match=r"2 that cannot be read\n.*test-0\.tar.*\n.*val-0\.tar"):
        indexing.write(make_packing(), tmp_path, quiet=True)
    spec = indexing.write(make_packing(max_unreadable=2), tmp_path, quiet=True)
    assert list(spec["splits"]) == ["val"] and spec["evaluation"] is None
    (tmp_path / "val-0.tar").unlink()
    with pytest.raises(FridoError, match="without a sample"):
        indexing.write(make_packing(max_unreadable=2), tmp_path, overwrite=True, quiet=True)


def test_a_turned_image_is_shown_upright():
    """A tar of others is not packed again: size, annotations and pixels are those of the upright image."""
    exif, file, pixels = Image.Exif(), io.BytesIO(), np.zeros((8, 12), np.uint8)
    exif[0x0112] = 6  # upright once turned clockwise
    pixels[:, :6] = 200
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    scene = foreign.scene_of("k", {"png": file.getvalue()})
    assert (scene.width, scene.height) == (8, 12)
    shown = decoded(scene.image, 8, frame=Frame((0.0, 0.0, 1.0, 8 / 12), mirrored=False), where="k")
    assert (shown[:, :6] == 200).all() and (shown[:, 6:] == 0).all()


def test_keys_are_unique_in_a_dataset(tmp_path, make_packing):
    write(tmp_path, "train-%d.tar", {"__key__": "a", "png": picture(0)})
    write(tmp_path, "val-%d.tar", {"__key__": "a", "png": picture(1)})
    with pytest.raises(FridoError, match=r"a in train-0\.tar and in val-0\.tar"):
        indexing.write(make_packing(), tmp_path, quiet=True)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(("train-000.tar", "train"), ("val_3.tar", "val"), ("validation.tar", "val"), ("test0.tar", "test")),
        *(("testimony-1.tar", "train"), ("valley.tar", "train"), ("shard-1.tar", "train"), ("VAL.tar", "val")),
    ],
)
def test_splits_by_name(name, split):
    assert indexing.split_of(name) == split


def test_the_door(tmp_path, dataset, capsys):
    write(tmp_path, "train-%d.tar", {"__key__": "a", "png": picture(0), "cls": 1})
    assert main(["index", str(tmp_path), "--processes", "1", "format.run=4"]) == 0
    assert "1 train" in capsys.readouterr().out and read_spec(tmp_path)["order"]["run"] == 4
    assert main(["index", str(tmp_path)]) == 2 and "--overwrite" in capsys.readouterr().err
    assert main(["index", str(tmp_path), "--overwrite", "--processes", "1"]) == 0
    assert main(["index", str(dataset), "--overwrite"]) == 2 and "frido.pack packed" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["between two members", "in a head"])
def test_a_tar_that_ends_too_early_is_refused(tmp_path, where):
    """tarfile, and webdataset with it, takes both for whole tars with fewer samples."""
    path = tmp_path / "000000.tar"
    write(tmp_path, "%06d.tar", *({"__key__": f"s{n}", "png": picture(n), "txt": "words"} for n in range(6)))
    with tarfile.open(path) as whole:
        head = whole.getmembers()[7].offset
    os.truncate(path, head + (0 if where == "between two members" else 100))
    with pytest.raises(FridoError, match="no mark of the end"):
        list(foreign.samples(path))
