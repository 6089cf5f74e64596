"""`python -m frido.pack verify`: every kind of damage is found, and named by shard and key."""

import hashlib
import io
import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from frido.contracts.scene import Object, Relationship
from frido.data import index
from frido.data.packing.pack import finished
from frido.data.packing.verify import described, verify
from frido.data.shards import read_spec
from frido.pack import main

SHARD = "train-000001.tar"


@pytest.fixture
def copy(dataset, tmp_path) -> Path:
    return shutil.copytree(dataset, tmp_path / "copy")


def problems(root: Path) -> list[str]:
    return list(described(verify(root, processes_=1, quiet=True)))


def samples(root: Path) -> list[index.Sample]:
    path = index.index_path(root / SHARD)
    return index.parse(path.read_bytes(), where="", digest=hashlib.sha256(path.read_bytes()).hexdigest())


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def test_a_whole_dataset_has_no_problems(dataset):
    assert verify(dataset, processes_=2, quiet=True) == []


def test_every_byte_counts(copy):
    """Also those between the files, of which no sample knows."""
    dice, size = np.random.default_rng(0), (copy / SHARD).stat().st_size
    for offset in dice.integers(0, size, 15).tolist():
        flip(copy / SHARD, offset)
        assert problems(copy), f"byte {offset} of {size}"
        flip(copy / SHARD, offset)
    assert problems(copy) == []


def test_changed_files_are_named(copy):
    first, second = samples(copy)[3], samples(copy)[7]
    flip(copy / SHARD, first.image.offset + 5)
    assert isinstance(second.scene, index.Member)
    flip(copy / SHARD, second.scene.offset)
    found = problems(copy)
    assert [line for line in found if "SHA-256" in line and line.startswith(f"{SHARD}:")]
    assert f"{SHARD}, key {first.key}: {first.key}.png: other bytes than packed" in found
    assert f"{SHARD}, key {second.key}: {second.key}.json: other bytes than packed" in found and len(found) == 3


def test_a_shard_cut_short_or_missing(copy):
    whole = (copy / SHARD).read_bytes()
    (copy / SHARD).write_bytes(whole[: len(whole) // 2])
    found = problems(copy)
    last = samples(copy)[-1].key
    assert any(line.startswith(f"{SHARD}: {len(whole) // 2} bytes, packed") for line in found)
    assert any(f"key {last}" in line and "in the index and not in the tar" in line for line in found)
    (copy / SHARD).unlink()
    assert problems(copy) == [f"{SHARD}: No such file or directory"]


def test_index_tokenizer_and_spec(copy):
    flip(copy / "val-000000.index.json", 200)
    flip(copy / "tokenizer.json", 200)
    spec = json.loads((copy / "dataset.json").read_text())
    spec["vocabulary"]["categories"][0] = "round thing"
    (copy / "dataset.json").write_text(json.dumps(spec))
    found = problems(copy)
    assert "dataset.json: its content is not that of its hash" in found
    assert "tokenizer.json: another SHA-256 than packed" in found
    assert any(line.startswith("val-000000.tar: val-000000.index.json: SHA-256") for line in found)
    assert any("unknown category" in line for line in found)


def packed_wrong(tmp_path, make_source, make_packing, change) -> list[str]:
    """Return the problems of a dataset whose hashes are right and whose scene train-0000002 is not."""
    source = make_source(train=4, val=0, test=0)
    right = source.scenes.scene
    source.scenes.scene = lambda split, index: change(right(split, index)) if index == 2 else right(split, index)
    make_packing().write(source, tmp_path / "wrong", quiet=True)
    return problems(tmp_path / "wrong")


def test_scenes_that_make_no_sense(tmp_path, make_source, make_packing):
    wrong = {
        "unknown category 'ufo'": lambda scene: replace(
            scene, objects=(Object("ufo", (0.0, 0.0, 1.0, 1.0)),), relationships=()
        ),
        "box": lambda scene: replace(scene, objects=(Object("star", (0.5, 0.0, 0.4, 1.0)),), relationships=()),
        "a relationship between objects 0 and 9 of": lambda s: replace(s, relationships=(Relationship(0, "near", 9),)),
        "unknown predicate 'hates'": lambda scene: replace(scene, relationships=(Relationship(0, "hates", 0),)),
    }
    for words, change in wrong.items():
        found = packed_wrong(tmp_path, make_source, make_packing, change)
        assert len(found) == 1 and found[0].startswith(f"train-000000.tar, key train-0000002: {words}")
        shutil.rmtree(tmp_path / "wrong")


def test_ids_are_unique(tmp_path, make_source, make_packing):
    found = packed_wrong(tmp_path, make_source, make_packing, lambda scene: replace(scene, id="train-0000001"))
    assert any("an id that another sample has too" in line for line in found)


def test_what_the_index_does_not_know(copy):
    """A file that was added to a tar, with the hashes brought up to date."""
    with tarfile.open(copy / SHARD, "a:") as tar:
        info = tarfile.TarInfo("../evil.txt")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
        tar.addfile(tarfile.TarInfo("more.txt"))
    spec = read_spec(copy)
    entry = spec["splits"]["train"]["shards"][1]
    content = (copy / SHARD).read_bytes()
    entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (copy / "dataset.json").write_text(json.dumps(spec))
    found = [line for line in problems(copy) if not line.startswith("dataset.json")]
    assert found == [
        f"{SHARD}: ../evil.txt: a name that leads out of the archive",
        f"{SHARD}: more.txt: in the tar and not in the index",
    ]


def test_an_index_that_points_elsewhere(copy):
    """To bytes that are the same, in another file."""
    beside = index.index_path(copy / SHARD)
    told = json.loads(beside.read_text())
    told["samples"][2][1:5] = told["samples"][5][1:5]
    beside.write_text(json.dumps(told))
    spec = read_spec(copy)
    spec["splits"]["train"]["shards"][1]["index_sha256"] = hashlib.sha256(beside.read_bytes()).hexdigest()
    (copy / "dataset.json").write_text(
        json.dumps(finished({name: spec[name] for name in spec if name not in ("format", "evaluation", "hash")}))
    )
    key = told["samples"][2][0]
    found = [line for line in problems(copy) if line.startswith(f"{SHARD}, key {key}: {key}.png: at byte")]
    assert len(found) == 1


def test_files_that_do_not_belong_to_it(copy):
    """As an older pack or a copy that broke off leaves them; the page of `stats` may stay."""
    (copy / "stats.html").write_text("")
    assert problems(copy) == []
    shutil.copy(copy / SHARD, copy / "train-000099.tar")
    (copy / f".{SHARD}.a1b2c3").write_bytes(b"half")
    assert problems(copy) == [
        f"{name}: in the folder and not in dataset.json" for name in (f".{SHARD}.a1b2c3", "train-000099.tar")
    ]


def test_the_door(copy, capsys):
    assert main(["verify", str(copy), "--processes", "1"]) == 0
    assert "as packed, every byte" in capsys.readouterr().out
    flip(copy / SHARD, 700)
    assert main(["verify", str(copy), "--processes", "1"]) == 1
    assert SHARD in capsys.readouterr().out
