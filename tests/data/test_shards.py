"""Reading by row, and damage: what could not be read is named, and nothing else is lost."""

import io
import json
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.data.index import Member
from frido.data.shards import Shards


@pytest.fixture
def copy(dataset, tmp_path):
    return shutil.copytree(dataset, tmp_path / "copy")


def rewrite(path, change):
    """Change a file in place, its size as it was."""
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def lost(root) -> list[int]:
    """Return the rows that cannot be read."""
    return [row for row, found in enumerate(Shards.below(root, "train").scenes(range(60))) if isinstance(found, Lost)]


def test_random_access(dataset):
    shards = Shards.below(dataset, "train")
    assert len(shards) == 60 and shards.sizes == (16, 16, 16, 12)
    names = [shards.scene(row).id for row in range(60)]
    assert len(set(names)) == 60
    for rows in ([3, 4, 5], [15, 16, 17], [59, 0, 1, 0], [7, 6, 5], list(range(60)), []):
        assert [scene.id for scene in shards.scenes(rows)] == [names[row] for row in rows]
    for row in (60, -1):
        with pytest.raises(IndexError):
            shards.scene(row)


def test_a_run_is_one_read(dataset, monkeypatch):
    shards, reads = Shards.below(dataset, "train"), []
    read = shards.store.read
    monkeypatch.setattr(shards.store, "read", lambda *told: reads.append(told[0].name) or read(*told))
    shards.scenes([14, 15, 16, 17, 18, 40, 41, 3])
    assert reads == ["train-000000.tar", "train-000001.tar", "train-000002.tar", "train-000000.tar"]


def test_indexes_of_two_blocks_are_kept(tmp_path, make_source, make_packing):
    """Memory does not grow with what was read: here a block is 2 of 15 shards."""
    make_packing(scenes_per_shard=4).write(make_source(), tmp_path / "out", quiet=True)
    shards = Shards.below(tmp_path / "out", "train")
    for row in range(60):
        shards.scene(row)
    assert len(shards._indexes) == 4


def test_truncated_shard_is_found_at_a_look(copy):
    path = copy / "train-000001.tar"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(FridoError, match=r"train-000001\.tar\n.*5000 bytes"):
        Shards.below(copy, "train").check()


def test_truncated_shard_loses_what_was_cut_off(copy):
    path, shards = copy / "train-000003.tar", Shards.below(copy, "train")
    gone = [row for row in range(48, 60) if any(part.end > 5000 for part in shards._samples(3)[row - 48].members)]
    path.write_bytes(path.read_bytes()[:5000])
    assert lost(copy) == gone and 0 < len(gone) < 12
    with pytest.raises(FridoError, match=r"train-000003\.tar, key train-\d+\n.*train-\d+\.\w+: the file ends after"):
        Shards.below(copy, "train").scene(gone[0])


def test_missing_shard(copy):
    (copy / "train-000001.tar").unlink()
    with pytest.raises(FridoError, match=r"train-000001\.tar\n.*no such file"):
        Shards.below(copy, "train").check()
    assert lost(copy) == list(range(16, 32))
    (found,) = Shards.below(copy, "train").scenes([20])
    assert found.shard == "train-000001.tar" and found.reason == "No such file or directory"


def test_missing_index(copy):
    (copy / "train-000001.index.json").unlink()
    with pytest.raises(FridoError, match=r"train-000001\.tar: its index"):
        Shards.below(copy, "train").check()
    assert lost(copy) == list(range(16, 32))
    (found,) = Shards.below(copy, "train").scenes([20])
    assert found.key == "number 4" and "No such file" in found.reason


def test_foreign_index(copy):
    shutil.copy(copy / "train-000000.index.json", copy / "train-000001.index.json")
    with pytest.raises(FridoError, match=r"train-000001\.tar.*\n.*its index.*SHA-256"):
        Shards.below(copy, "train").scene(20)


def test_changed_bytes_name_shard_and_key(copy):
    sample = Shards.below(copy, "train")._samples(1)[4]
    rewrite(copy / "train-000001.tar", lambda content: content.__setitem__(sample.image.offset + 99, 0xEE ^ 0x11))
    assert lost(copy) == [20]
    with pytest.raises(FridoError, match=rf"train-000001\.tar, key {sample.key}\n.*{sample.key}\.png: changed bytes"):
        Shards.below(copy, "train").scene(20)


@pytest.fixture
def stream(make_reading):
    def stream(root, **changes):
        rows = Shards.below(root, "train")
        return make_reading(**changes).stream(rows, order=rows.order(seed=0), batch=60, rank=0, world_size=1)

    return stream


@pytest.mark.parametrize("cache_mb", [0, 16])
def test_what_is_lost_is_told_and_replaced(copy, dataset, stream, cache_mb):
    whole = stream(dataset, cache_mb=cache_mb).at(0)
    (copy / "train-000002.tar").unlink()
    batch = stream(copy, cache_mb=cache_mb).at(0)
    keys = {Shards.below(dataset, "train").scene(row).id for row in range(32, 48)}
    assert {one.key for one in batch.lost} == keys and {one.shard for one in batch.lost} == {"train-000002.tar"}
    assert batch.size == 60 and not keys & set(batch.ids)
    for ours, theirs in zip(batch.ids, whole.ids, strict=True):
        assert ours == theirs or theirs in keys
    assert whole.lost == ()


@pytest.mark.parametrize("cache_mb", [0, 16])
def test_what_is_lost_is_told_whenever_its_row_is_due(copy, stream, cache_mb):
    """Whatever was asked for before: what a training is told does not depend on threads."""
    (copy / "train-000002.tar").unlink()
    reader = stream(copy, cache_mb=cache_mb)
    first = reader.at(0).lost
    assert set(reader.at(60).lost) == set(first) and reader.at(0).lost == first


def test_an_image_that_was_corrupt_when_packed_is_lost(dataset, stream, monkeypatch):
    """The bytes are as packed and do not decode."""
    shards, scenes = Shards.below(dataset, "train"), Shards.scenes
    broken = {shards.scene(20).id: b"\x89PNG\r\n\x1a\n and then nothing of the kind"}
    monkeypatch.setattr(
        Shards,
        "scenes",
        lambda self, rows: [replace(s, image=broken.get(s.id, s.image)) for s in scenes(self, rows)],
    )
    batch = stream(dataset).at(0)
    (found,) = set(batch.lost)
    assert found.shard == "train-000001.tar" and {found.key} == set(broken)


def test_nothing_left_to_read(copy, stream):
    for shard in copy.glob("train-*.tar"):
        shard.unlink()
    with pytest.raises(FridoError, match="one of 100 samples that can be read"):
        stream(copy).at(0)


def test_no_dataset(tmp_path):
    with pytest.raises(FridoError, match=r"dataset\.json"):
        Shards.below(tmp_path, "train")
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(FridoError, match=r"dataset\.json"):
        Shards.below(tmp_path, "train")
    (tmp_path / "dataset.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(FridoError, match="format 99"):
        Shards.below(tmp_path, "train")


def test_no_such_split(dataset):
    with pytest.raises(FridoError, match="split valid"):
        Shards.below(dataset, "valid")


def test_images_are_the_members_of_the_tar(dataset):
    shards = Shards.below(dataset, "train")
    sample = shards._samples(0)[3]
    content = (dataset / "train-000000.tar").read_bytes()
    assert isinstance(sample.scene, Member)
    assert content[sample.image.offset : sample.image.end] == shards.scene(3).image
    assert Image.open(io.BytesIO(shards.scene(3).image)).size == (32, 32)
