"""Batches of a dataset at a URL are those of the same dataset in a folder; what cannot be had is named."""

import errno
import json
import os
import re
import shutil
import time
from pathlib import Path

import pytest
import torch

from frido.contracts.errors import FridoError
from frido.data.mixed import MixedData
from frido.data.packed import PackedData
from frido.data.stores.cached import CachedStore
from frido.data.stores.remote import Remote
from tests.data import http_server as http

CACHES = pytest.mark.parametrize("cache_gb", [0.0, 1.0], ids=["ranges", "cache"])
SHARD = "train-000001.tar"


@pytest.fixture
def copy(dataset, tmp_path):
    return shutil.copytree(dataset, tmp_path / "copy")


@pytest.fixture
def server(copy):
    with http.serving(copy) as server:
        yield server


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Waits of milliseconds, and shards in several pieces."""
    monkeypatch.setattr(Remote, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr(Remote, "DEADLINE", 0.5)
    monkeypatch.setattr(CachedStore, "PIECE", 20_000)


@pytest.fixture
def make(make_reading, tmp_path):
    def make(shards, *, cache_gb=0.0, workers=2, max_loss=0, cache="cache") -> PackedData:
        return PackedData(
            shards=str(shards),
            cache_gb=cache_gb,
            cache_dir=str(tmp_path / cache),
            pack_source="scenes",
            pack_recipe="main",
            reading=make_reading(workers=workers),
            max_loss=max_loss,
        )

    return make


def batches(data: PackedData, root: Path, *, rank: int = 0, world_size: int = 1, epochs: int = 1) -> list:
    stream = data.stream(root, batch=12, rank=rank, world_size=world_size, seed=3)
    found = [stream.at(start) for start in range(0, 60 * epochs, 12)]
    stream.close()
    return found


def same(first, second) -> bool:
    return all(
        a.ids == b.ids and torch.equal(a.images, b.images) and a.lost == b.lost
        for a, b in zip(first, second, strict=True)
    )


def lost(found) -> set[tuple[str, str, str]]:
    return {tuple(one) for batch in found for one in batch.lost}


@CACHES
def test_a_url_gives_what_the_folder_gives(dataset, server, make, tmp_path, cache_gb):
    here, there = make(dataset), make(server.url, cache_gb=cache_gb)
    root, pinned = here.prepare(tmp_path / "nothing"), there.prepare(tmp_path / "pinned")
    assert pinned.parent == tmp_path / "pinned"
    assert (pinned / "dataset.json").read_bytes() == (root / "dataset.json").read_bytes()
    assert same(batches(there, pinned, epochs=2), batches(here, root, epochs=2))
    for rank in range(2):
        ranks = {"rank": rank, "world_size": 2}
        assert same(batches(there, pinned, **ranks), batches(here, root, **ranks))
    assert here.rows(root, "val").scene(3) == there.rows(pinned, "val").scene(3)
    assert there.rows(pinned, "train").vocabulary == here.rows(root, "train").vocabulary
    if cache_gb:  # every shard once, in pieces; two ranks and three epochs later
        sizes = {path.name: path.stat().st_size for path in dataset.glob("train-*.tar")}
        assert {name: server.sent[name] for name in sizes} == sizes


@CACHES
@pytest.mark.parametrize("fault", [http.dropped, http.refused, http.short, http.flipped, http.unavailable, http.silent])
def test_faults_that_pass_change_nothing(dataset, server, make, tmp_path, cache_gb, fault):
    for name in (SHARD, "train-000003.tar", "train-000002.index.json", "tokenizer.json"):
        server.faults[name] = [fault]
    data = make(server.url, cache_gb=cache_gb)
    root = data.prepare(tmp_path / "pinned")
    assert same(batches(data, root), batches(make(dataset), dataset))
    assert not any(server.faults.values())


@pytest.mark.parametrize("damage", ["changed", "cut"])
def test_by_ranges_what_is_damaged_is_lost_as_it_would_be_here(dataset, server, copy, make, tmp_path, damage):
    content = bytearray((copy / SHARD).read_bytes())
    content[9000:12000] = bytes(3000)
    (copy / SHARD).write_bytes(content if damage == "changed" else content[:9000])
    here, there = make(copy, max_loss=60), make(server.url, max_loss=60)
    expected, found = batches(here, copy), batches(there, there.prepare(tmp_path / "pinned"))
    assert same(found, expected)
    assert 0 < len(lost(found)) < 16 and {shard for shard, _, _ in lost(found)} == {SHARD}


@pytest.mark.parametrize(
    ("fault", "why", "times"),
    [
        (http.flipped, r"fetched with SHA-256 \w{12} instead of \w{12}, 2 times", 2),
        (http.short, r"fetched with \d+ bytes instead of \d+, 2 times", 2),
        (http.dropped, r"ClientPayloadError: .*, 4 times", 4),
        (http.unavailable, "HTTP 503, 4 times", 4),
        (http.silent, "no answer in time, 4 times", 4),
        (None, "no such file", 1),
    ],
)
def test_a_shard_that_cannot_be_had_is_lost_and_asked_for_once(
    dataset, server, copy, make, tmp_path, monkeypatch, fault, why, times
):
    monkeypatch.setattr(CachedStore, "PIECE", 10**6)
    monkeypatch.setattr(Remote, "DEADLINE", 0.2)
    data = make(server.url, cache_gb=1.0, max_loss=60, workers=1)
    root = data.prepare(tmp_path / "pinned")
    if fault:
        server.always[SHARD] = fault
    else:
        (copy / SHARD).unlink()
    found = batches(data, root)
    local = make(dataset).rows(dataset, "train")
    assert {(shard, key) for shard, key, _ in lost(found)} == {(SHARD, local.scene(row).id) for row in range(16, 32)}
    for reason in {reason for _, _, reason in lost(found)}:
        assert re.fullmatch(why, reason), reason
    assert server.requests[SHARD] == times
    kept = [name for batch in batches(make(dataset), dataset) for name in batch.ids]
    replaced = [name for batch in found for name in batch.ids]
    gone = {key for _, key, _ in lost(found)}
    assert all(new == old for new, old in zip(replaced, kept, strict=True) if old not in gone)
    assert not gone & set(replaced)


def test_a_copy_that_goes_bad_is_fetched_again(dataset, server, make, tmp_path):
    data = make(server.url, cache_gb=1.0)
    root = data.prepare(tmp_path / "pinned")
    expected = batches(data, root)
    for path in (tmp_path / "cache").glob("*.tar"):
        if path.stat().st_size == (dataset / SHARD).stat().st_size:
            content = bytearray(path.read_bytes())
            content[600::512] = bytes(len(content[600::512]))
            path.write_bytes(content)
    sent = server.sent.total()
    assert same(batches(data, root), expected)
    assert server.sent.total() - sent in [n * (dataset / SHARD).stat().st_size for n in (1, 2, 3)]


def test_a_full_disk_loses_nothing(dataset, server, make, tmp_path, monkeypatch, caplog):
    def write(descriptor, piece, real=os.write):
        if Path(f"/proc/self/fd/{descriptor}").readlink().suffix == ".partial":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, piece)

    monkeypatch.setattr(os, "write", write)
    data = make(server.url, cache_gb=1.0)
    assert same(batches(data, data.prepare(tmp_path / "pinned")), batches(make(dataset), dataset))
    assert len(caplog.records) == 1 and "No space left on device" in caplog.text


def test_a_dataset_that_changes_is_noticed(server, copy, make, tmp_path, make_source, make_packing):
    data = make(server.url, cache_gb=1.0, max_loss=60)
    root = data.prepare(tmp_path / "pinned")
    first = (root / "dataset.json").read_bytes()
    make_packing().write(make_source(seed=7), tmp_path / "other", quiet=True)
    for path in (tmp_path / "other").iterdir():
        shutil.copy(path, copy)
    with pytest.raises(FridoError, match="SHA-256"):
        batches(data, root)
    assert (root / "dataset.json").read_bytes() == first
    again = make(server.url, cache_gb=1.0)
    anew = again.prepare(tmp_path / "pinned")
    assert (anew / "dataset.json").read_bytes() == (copy / "dataset.json").read_bytes() != first
    assert same(batches(again, anew), batches(make(copy), copy))
    assert (root / "dataset.json").read_bytes() == first, "a run that goes on is not disturbed"


def test_a_full_cache_needs_no_server(dataset, make, tmp_path, caplog):
    with http.serving(dataset) as server:
        data = make(server.url, cache_gb=1.0)
        root = data.prepare(tmp_path / "pinned")
        expected = batches(data, root)
        for split in ("val", "test"):
            data.rows(root, split).scene(0)
        earlier = tmp_path / "pinned/earlier/dataset.json"  # what the URL had before
        earlier.parent.mkdir()
        earlier.write_text("{}")
        os.utime(earlier, (0, 0))
    later = make(server.url, cache_gb=1.0)
    assert later.prepare(tmp_path / "pinned") == root
    assert "going on with the copy" in caplog.text
    assert same(batches(later, root), expected)
    for path in (tmp_path / "cache").glob("*.tar"):
        path.unlink()
    with pytest.raises(FridoError, match=r"-000000\.tar.*\n.*Connect"):
        make(server.url, cache_gb=1.0).prepare(tmp_path / "pinned")


def test_a_dataset_that_is_gone_is_none(server, copy, make, tmp_path):
    make(server.url).prepare(tmp_path / "pinned")
    (copy / "dataset.json").unlink()
    with pytest.raises(FridoError, match=r"dataset\.json\n.*no such file"):
        make(server.url).prepare(tmp_path / "pinned")


def mixture(server, other, reading, tmp_path, *, cache_gb: float, grain: int = 12) -> MixedData:
    where = {"cache_dir": str(tmp_path / "cache"), "reading": reading, "max_loss": 0, "grain": grain}
    return MixedData(shards=[server.url, other.url], weights=[1.0, 1.0], cache_gb=cache_gb, **where)


def test_a_mixture_asks_for_its_parts_once(server, make_reading, tmp_path):
    data = mixture(server, server, make_reading(), tmp_path, cache_gb=1.0)
    root = data.prepare(tmp_path / "pinned")
    assert server.requests["dataset.json"] == 2
    for split in ("train", "val"):
        assert data.rows(root, split).scene(0)
    data.stream(root, batch=12, rank=0, world_size=1, seed=0).at(0)
    assert server.requests["dataset.json"] == 2


def test_the_cache_of_a_mixture_holds_two_blocks_of_every_part(dataset, server, make_reading, tmp_path):
    each = sum(path.stat().st_size for path in dataset.glob("train-*.tar")) / 1e9
    with pytest.raises(FridoError, match=r"data\.cache_gb") as error:
        mixture(server, server, make_reading(), tmp_path, cache_gb=1.9 * each).prepare(tmp_path / "pinned")
    least = float(error.value.do.split("data.cache_gb=")[1].split(";")[0])
    mixture(server, server, make_reading(), tmp_path, cache_gb=least).prepare(tmp_path / "pinned")


@pytest.mark.parametrize(("batch", "world_size", "told"), [(12, 1, 0), (12, 2, 0), (12, 3, 1), (10, 1, 1)])
def test_runs_that_ranks_cut_are_told_of(server, dataset, make, tmp_path, caplog, batch, world_size, told):
    """The dataset's runs are of 3 samples."""
    for data in (make(server.url), make(server.url, cache_gb=1.0), make(dataset)):
        root = data.prepare(tmp_path / "pinned")
        for rank in range(world_size):
            data.stream(root, batch=batch, rank=rank, world_size=world_size, seed=0).close()
    assert len(caplog.records) == told
    assert all("multiple of 3 for each rank" in record.message for record in caplog.records)


def test_grains_that_cut_runs_are_told_of(server, make_reading, tmp_path, caplog):
    for grain, told in ((12, 0), (4, 2)):
        data = mixture(server, server, make_reading(), tmp_path, cache_gb=0.0, grain=grain)
        data.stream(data.prepare(tmp_path / "pinned"), batch=12, rank=0, world_size=1, seed=0).close()
        assert len(caplog.records) == told


def test_missing_shards_are_found_before_training(server, copy, make, tmp_path):
    (copy / SHARD).write_bytes((copy / SHARD).read_bytes()[:-512])
    with pytest.raises(FridoError, match=rf"{SHARD}[^\n]*\n.*{(copy / SHARD).stat().st_size} bytes"):
        make(server.url).prepare(tmp_path / "pinned")
    (copy / SHARD).unlink()
    with pytest.raises(FridoError, match=rf"{SHARD}[^\n]*\n.*no such file"):
        make(server.url).prepare(tmp_path / "pinned")
    make(server.url, max_loss=1).prepare(tmp_path / "pinned")


@pytest.mark.parametrize("change", [{"name": "../out.tar"}, {"name": "/etc/x.tar"}, {"sha256": "../../x"}])
def test_names_that_lead_elsewhere_are_refused(server, copy, make, tmp_path, change):
    spec = json.loads((copy / "dataset.json").read_text())
    spec["splits"]["val"]["shards"][0] |= change
    (copy / "dataset.json").write_text(json.dumps(spec))
    with pytest.raises(FridoError, match=r"dataset\.json\n.*a shard"):
        make(server.url).prepare(tmp_path / "pinned")
    assert not (tmp_path / "pinned").exists()


def test_no_dataset_there(make, tmp_path):
    with http.serving(tmp_path) as server:
        url = server.url
        with pytest.raises(FridoError, match=rf"{url}/dataset\.json\n.*no such file"):
            make(url).prepare(tmp_path / "pinned")
    began = time.monotonic()
    with pytest.raises(FridoError, match=r"Connect.*\n.*\n.*whether the server can be reached"):
        make(url).prepare(tmp_path / "pinned")
    assert time.monotonic() - began < 5


def test_a_cache_smaller_than_two_blocks_is_refused(dataset, server, make, tmp_path):
    sizes = [path.stat().st_size for path in dataset.glob("train-*.tar")]  # four shards, in blocks of two
    with pytest.raises(FridoError, match="two blocks of shards") as error:
        make(server.url, cache_gb=(sum(sizes) - 1) / 1e9).prepare(tmp_path / "pinned")
    least = float(error.value.do.split("data.cache_gb=")[1].split(";")[0])
    make(server.url, cache_gb=least).prepare(tmp_path / "pinned")
    with pytest.raises(FridoError, match=r"data\.cache_gb"):
        make(server.url, cache_gb=-1.0)
