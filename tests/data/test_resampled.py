"""Tars of other programs, without an index: streamed by webdataset, and called what they are."""

import io
import os
import tarfile

import numpy as np
import pytest
import torch
import webdataset
from PIL import Image

from frido.contracts.errors import FridoError
from frido.data import unindexed
from frido.data.resampled import ResampledData
from frido.data.shards import Shards


def picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((24, 32, 3), number, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def tars(tmp_path):
    """48 samples in 4 tars, by plain webdataset: the picture's grey is the sample's number, the class its third."""
    with webdataset.ShardWriter(str(tmp_path / "%03d.tar"), maxcount=12, verbose=0) as writer:
        for number in range(48):
            sample = {"__key__": f"s{number:03d}", "png": picture(number), "cls": number % 3, "txt": f"grey {number}"}
            writer.write(sample)
    return tmp_path


def node(tars, reading, **changes) -> ResampledData:
    return ResampledData(**({"shards": str(tars), "held_out": 6, "reading": reading, "max_loss": 0} | changes))


def ids(rows: Shards) -> set[str]:
    return {rows.scene(row).id for row in range(len(rows))}


def test_it_streams_what_is_in_the_tars(tars, tmp_path, make_reading):
    data = node(tars, make_reading())
    root = data.prepare(tmp_path / "cache")
    stream = data.stream(root, batch=8, rank=0, world_size=1, seed=0)
    seen = set()
    for start in range(0, 400, 8):
        batch = stream.at(start)
        assert batch.positions.tolist() == list(range(start, start + 8)) and not batch.lost
        for row, name in enumerate(batch.ids):
            number = int(name[1:])
            assert ((batch.pixels[row] + 1) * 127.5).round().unique().tolist() == [number]
            assert batch.annotations.categories[row, 0] == number % 3
            assert bytes(batch.annotations.captions[row].tolist()).rstrip(b"\0") == f"grey {number}".encode()
        seen |= set(batch.ids)
    assert ids(data.rows(root, "val")) == {f"s{number:03d}" for number in range(6)}
    assert seen == {f"s{number:03d}" for number in range(6, 48)}, "all but what is held out"


def test_ranks_and_resumes_draw_for_themselves(tars, tmp_path, make_reading):
    data = node(tars, make_reading())
    root = data.prepare(tmp_path / "cache")
    draws = [
        data.stream(root, batch=16, rank=rank, world_size=2, seed=0).at(start).ids
        for rank, start in ((0, 0), (1, 0), (0, 64))
    ]
    assert len(set(draws)) == 3 and {len(draw) for draw in draws} == {8}


def test_it_is_labelled(tars, make_reading):
    data = node(tars, make_reading())
    assert "not exact" in data.note and not data.fixed


def test_tars_named_val_are_held_out(tars, tmp_path, make_reading):
    (tars / "003.tar").rename(tars / "val-000.tar")
    data = node(tars, make_reading())
    assert ids(data.rows(data.prepare(tmp_path / "cache"), "val")) == {f"s{number:03d}" for number in range(36, 42)}


def test_what_cannot_be_read_is_named(tars, tmp_path, make_reading):
    data = node(tars, make_reading())
    root = data.prepare(tmp_path / "cache")
    with tarfile.open(tars / "002.tar") as tar:
        inside = tar.getmembers()[7].offset_data + 1
    os.truncate(tars / "002.tar", inside)
    stream = data.stream(root, batch=8, rank=0, world_size=1, seed=0)
    (tars / "003.tar").unlink()
    lost = stream.at(0).lost
    assert {one.shard.rpartition("/")[2] for one in lost} == {"002.tar", "003.tar"}
    assert all(one.reason for one in lost)


def test_nothing_to_read_ends_and_says_so(tars, tmp_path, make_reading):
    data = node(tars, make_reading())
    root = data.prepare(tmp_path / "cache")
    stream = data.stream(root, batch=8, rank=0, world_size=1, seed=0)
    for tar in tars.glob("*.tar"):
        tar.write_bytes(b"no tar")
    with pytest.raises(FridoError, match="100 errors on end"):
        stream.at(0)
    for tar in sorted(tars.glob("*.tar"))[1:]:  # two errors each, of which webdataset swallows what the first raises
        sink = webdataset.TarWriter(str(tar))
        sink.write({"__key__": "s", "png": picture(3) + bytes(5000)})
        sink.close()
        os.truncate(tar, 3000)  # within the first sample
    for seed in range(4):
        with pytest.raises(FridoError, match="100 errors on end, at last ReadError"):
            data.stream(root, batch=8, rank=0, world_size=1, seed=seed).at(0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FridoError, match=r"no training \*\.tar"):
        node(tmp_path / "empty", make_reading()).prepare(tmp_path / "other")


def test_words_that_the_first_samples_lack_are_left_out(tars, tmp_path, make_reading):
    data = node(tars, make_reading(), held_out=1)
    root = data.prepare(tmp_path / "cache")
    assert data.rows(root, "val").vocabulary.categories == ("0", "1")
    batch = data.stream(root, batch=48, rank=0, world_size=1, seed=0).at(0)
    for name, category in zip(batch.ids, batch.annotations.categories[:, 0].tolist(), strict=True):
        assert category == (-1 if int(name[1:]) % 3 == 2 else int(name[1:]) % 3)
    assert torch.isfinite(batch.pixels).all()


def test_equal_keys_of_other_tars_are_other_samples(tars, tmp_path, make_reading):
    sink = webdataset.TarWriter(str(tars / "val-000.tar"))
    for number in range(6, 16):
        sink.write({"__key__": f"s{number:03d}", "png": picture(200), "cls": 0, "txt": "white"})
    sink.close()
    data = node(tars, make_reading())
    root = data.prepare(tmp_path / "cache")
    held, others = data.rows(root, "val"), data.rows(root, "train")
    assert ids(held) == {f"s{number:03d}" for number in range(6, 12)}
    assert ids(others) == {f"s{number:03d}" for number in range(6)}
    stream = data.stream(root, batch=8, rank=0, world_size=1, seed=0)
    assert {name for start in range(0, 400, 8) for name in stream.at(start).ids} == {f"s{n:03d}" for n in range(48)}


def test_what_is_held_out_is_packed_anew_when_the_tars_change(tars, tmp_path, make_reading):
    data = node(tars, make_reading())
    root = data.prepare(tmp_path / "cache")
    before = (root / "dataset.json").read_bytes()
    assert data.prepare(tmp_path / "cache") == root
    (tars / "000.tar").unlink()
    anew = data.prepare(tmp_path / "cache")
    assert ids(data.rows(anew, "val")) == {f"s{number:03d}" for number in range(12, 18)}
    with webdataset.TarWriter(str(tars / "001.tar")) as sink:
        sink.write({"__key__": "larger", "png": picture(9) + bytes(20_000), "cls": 0, "txt": "grey"})
    assert "larger" in ids(data.rows(data.prepare(tmp_path / "cache"), "val"))
    assert (root / "dataset.json").read_bytes() == before, "a run that goes on is not disturbed"


def test_names_that_lead_out_are_lost(tars, tmp_path, make_reading):
    data = node(tars, make_reading())
    root = data.prepare(tmp_path / "cache")
    with tarfile.open(tars / "003.tar", "w") as tar:
        for name in ("/etc/a.png", "/etc/a.cls", "../b.png", "plain.png"):
            info = tarfile.TarInfo(name)
            content = picture(3) if name.endswith("png") else b"0"
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("c.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    lost, seen = [], []
    for key, _ in unindexed.once([str(tars / "003.tar")], lost.append):
        seen.append(key)
    assert seen == ["plain"]
    assert [one.reason for one in lost] == [
        "/etc/a.png: a name that leads out of the archive",
        "../b.png: a name that leads out of the archive",
    ]
    stream = data.stream(root, batch=8, rank=0, world_size=1, seed=0)
    assert {one.shard.rpartition("/")[2] for one in stream.at(0).lost} == {"003.tar"}
