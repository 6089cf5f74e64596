import json
import shutil
from dataclasses import replace

import pytest

from frido.contracts.errors import FridoError
from frido.data.loader import Loader
from frido.data.order import Order
from frido.data.shards import Shards


@pytest.fixture
def copy(dataset, tmp_path):
    return shutil.copytree(dataset, tmp_path / "copy")


def load(root):
    shards = Shards(root, "train")
    limits = {"max_objects": 3, "max_relationships": 4, "max_attributes": 3, "max_caption": 64}
    settings = {"batch": 60, "rank": 0, "world_size": 1, "resolution": 32, "workers": 1, "cache_mb": 0}
    return Loader(shards, order=Order.of(shards, seed=0), **settings, **limits).at(0)


def rewrite(root, shard, change):
    """Change a shard in place, sizes and index as they were."""
    content = bytearray((root / shard).read_bytes())
    change(content)
    (root / shard).write_bytes(content)


def test_random_access(dataset):
    shards = Shards(dataset, "train")
    assert len(shards) == 60 and shards.sizes == (16, 16, 16, 12)
    assert len({shards.scene(row).id for row in range(60)}) == 60
    for row in (60, -1):
        with pytest.raises(IndexError):
            shards.scene(row)


def test_truncated_shard(copy):
    path = copy / "train-000001.tar"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(FridoError, match=r"train-000001\.tar\n.*5000 bytes"):
        Shards(copy, "train")


def test_shard_truncated_while_reading(copy):
    shards = Shards(copy, "train")
    path = copy / "train-000003.tar"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(FridoError, match=r"train-000003\.tar, key train-\d+\.\w+\n.*ends after"):
        for row in range(48, 60):
            shards.scene(row)


def test_missing_shard(copy):
    (copy / "train-000001.tar").unlink()
    with pytest.raises(FridoError, match=r"train-000001\.tar\n.*no such file"):
        Shards(copy, "train")


def test_missing_index(copy):
    (copy / "train-000001.index.json").unlink()
    with pytest.raises(FridoError, match=r"train-000001\.tar: its index"):
        Shards(copy, "train")


def test_foreign_index(copy):
    shutil.copy(copy / "train-000000.index.json", copy / "train-000001.index.json")
    with pytest.raises(FridoError, match=r"train-000001\.tar: its index.*\n.*SHA-256"):
        Shards(copy, "train").scene(20)


def test_changed_bytes_name_shard_and_key(copy):
    sample = Shards(copy, "train")._find(20)[1]
    rewrite(copy, "train-000001.tar", lambda content: content.__setitem__(sample.image.offset + 99, 0xEE ^ 0x11))
    with pytest.raises(FridoError, match=rf"train-000001\.tar, key {sample.key}\.png\n.*changed bytes"):
        load(copy)


def test_image_that_was_corrupt_when_packed(copy, monkeypatch):
    """The bytes are as packed and do not decode: shard and key are still named."""
    sample, read = Shards(copy, "train")._find(20)[1], Shards.scene
    broken = {sample.key: b"\x89PNG\r\n\x1a\n and then nothing of the kind"}
    monkeypatch.setattr(
        Shards, "scene", lambda self, row: replace(s := read(self, row), image=broken.get(s.id, s.image))
    )
    with pytest.raises(FridoError, match=rf"train-000001\.tar, key {sample.key}\n"):
        load(copy)


def test_no_dataset(tmp_path):
    with pytest.raises(FridoError, match=r"dataset\.json"):
        Shards(tmp_path, "train")
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(FridoError, match=r"dataset\.json"):
        Shards(tmp_path, "train")
    (tmp_path / "dataset.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(FridoError, match="format 99"):
        Shards(tmp_path, "train")


def test_no_such_split(dataset):
    with pytest.raises(FridoError, match="split valid"):
        Shards(dataset, "valid")
