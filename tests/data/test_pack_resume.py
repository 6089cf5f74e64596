"""A pack that was stopped, however that happened, ends with the bytes of one that was not."""

import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from frido.contracts.errors import FridoError
from frido.data import index
from frido.data.packing import unfinished
from frido.data.packing.shard import check_unreadable, unreadable_image
from frido.data.shards import read_spec

SCRIPT = """
import sys
from pathlib import Path
from frido.data.packing.pack import Packing
from frido.data.sources.procedural import Procedural
from frido.data.sources.scenes import Scenes

scenes = Scenes(resolution=32, min_objects=1, max_objects=3, min_size=0.36, max_size=0.5, min_visible=0.5, seed=0)
packing = Packing(scenes_per_shard=3, image_size=None, image_format="keep", quality=95,
                  image_node=False, max_unreadable=0, seed=0, run=3,
                  block=2, tokenizer_size=300, processes=2)
packing.write(Procedural(scenes=scenes, train=90, val=10, test=5), Path(sys.argv[1]))
"""


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir()}


def finished(out: Path) -> int:
    return len(list(out.with_name(f".{out.name}.partial").glob("done/*.json")))


def test_killed_again_and_again(tmp_path, make_source, make_packing):
    """With SIGKILL, now the whole process group, now the parent alone, whose children then may not go on writing."""
    dice, out = random.Random(time.time_ns()), tmp_path / "killed"
    for attempt, kill in enumerate((os.kill, os.killpg, os.kill)):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(out)], stderr=subprocess.PIPE, start_new_session=True
        )
        goal = 9 * attempt + dice.randint(1, 8)  # of 35 shards
        while finished(out) < goal and process.poll() is None:
            time.sleep(0.002)
        kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert not out.exists(), "finished before it was killed"
    last = subprocess.run([sys.executable, "-c", SCRIPT, str(out)], capture_output=True, text=True, check=True)
    assert "going on" in last.stderr
    make_packing(scenes_per_shard=3).write(make_source(train=90), tmp_path / "whole", quiet=True)
    assert contents(out) == contents(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]


@pytest.fixture
def stopped(tmp_path, make_source, make_packing, monkeypatch):
    """A pack to `tmp_path / "out"` that found the disk full in its third shard."""
    add, calls = index.ShardWriter.add, []

    def full(self, key, **files):
        calls.append(key)
        if len(calls) > 40:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return add(self, key, **files)

    with monkeypatch.context() as patch:
        patch.setattr(index.ShardWriter, "add", full)
        with pytest.raises(FridoError, match="No space left on device") as error:
            make_packing().write(make_source(), tmp_path / "out", quiet=True)
    assert "same command" in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == [".out.partial"] and finished(tmp_path / "out") == 2
    return tmp_path / "out"


def test_a_full_disk(stopped, dataset, make_source, make_packing, monkeypatch):
    """What is finished is kept and not written again."""
    written = []
    monkeypatch.setattr(
        index, "to_bytes", lambda path, *rest, real=index.to_bytes: written.append(path) or real(path, *rest)
    )
    make_packing().write(make_source(), stopped, quiet=True)
    assert [path.name for path in written] == [
        *("train-000002.tar", "train-000003.tar", "val-000000.tar", "test-000000.tar")
    ]
    assert contents(stopped) == contents(dataset)


def test_other_settings_start_anew(stopped, tmp_path, make_source, make_packing, capsys):
    make_packing(seed=1).write(make_source(), stopped)
    assert "other settings: starting anew" in capsys.readouterr().err
    make_packing(seed=1).write(make_source(), tmp_path / "other", quiet=True)
    assert contents(stopped) == contents(tmp_path / "other")


def test_half_written_files_are_not_taken_over(stopped, dataset, make_source, make_packing):
    left = stopped.with_name(".out.partial") / "dataset"
    (left / ".train-000002.index.json.partial-17").write_text("{")
    (left / "train-000002.tar").write_bytes(b"half")
    make_packing().write(make_source(), stopped, quiet=True)
    assert contents(stopped) == contents(dataset)


def test_one_command_at_a_time(stopped, dataset, make_source, make_packing):
    with (stopped.with_name(".out.partial") / "lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(FridoError, match="another command"):
            make_packing().write(make_source(), stopped, quiet=True)
    assert finished(stopped) == 2
    make_packing().write(make_source(), stopped, quiet=True)
    assert contents(stopped) == contents(dataset)


@pytest.mark.parametrize("at", ["before", "between", "after"])
def test_stopped_while_it_replaces_a_dataset(at, tmp_path, dataset, make_source, make_packing, monkeypatch):
    """At every moment one of the two is there, and the same command ends with the new one."""
    out = tmp_path / "out"
    make_packing(seed=5).write(make_source(), out, quiet=True)
    renames = {"before": 0, "between": 1, "after": 2}[at]
    rename, calls = Path.rename, []

    def stop(self, target):
        calls.append(target)
        if len(calls) > renames:
            raise KeyboardInterrupt
        return rename(self, target)

    def stop_tidying(path, **_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stop)
        patch.setattr(unfinished.shutil, "rmtree", stop_tidying)
        with pytest.raises(KeyboardInterrupt):
            make_packing().write(make_source(), out, overwrite=True, quiet=True)
    spec = make_packing().write(make_source(), out, overwrite=at != "after", quiet=True)
    assert contents(out) == contents(dataset) and spec == read_spec(dataset)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_nothing_is_left_of_a_pack_that_finished_no_shard(tmp_path, make_source, make_packing):
    source = make_source()
    source.scenes.scene = lambda split, index: broken()
    with pytest.raises(FridoError, match="scene 30"):
        make_packing().write(source, tmp_path / "out", quiet=True)
    assert list(tmp_path.iterdir()) == []


def broken():
    raise FridoError("scene 30", got="broken", wanted="whole", do="mend it")


@pytest.fixture
def holed(make_source):
    """A source whose images 3, 20 and 21 of train and all of test are torn."""
    source = make_source(test=3)
    whole = source.scenes.scene

    def scene(split, index):
        found = whole(split, index)
        torn = split == "test" or (split == "train" and index in (3, 20, 21))
        return (
            type(found)(**{name: getattr(found, name) for name in found.__slots__} | {"image": found.image[:99]})
            if torn
            else found
        )

    source.scenes.scene = scene
    return source


def test_unreadable_images_are_left_out_up_to_a_number(tmp_path, holed, make_packing):
    with pytest.raises(FridoError, match="image of scene train-") as error:
        make_packing(max_unreadable=2).write(holed, tmp_path / "out", quiet=True)
    assert "6 that cannot be read" in str(error.value) and "format.max_unreadable=6" in str(error.value)
    assert finished(tmp_path / "out") == 2, "what is whole need not be written again"
    for name in ("out", "again"):
        make_packing(max_unreadable=6).write(holed, tmp_path / name, quiet=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "again")
    spec = read_spec(tmp_path / "out")
    assert {split: part["scenes"] for split, part in spec["splits"].items()} == {"train": 57, "val": 10}
    assert sum(entry["scenes"] for entry in spec["splits"]["train"]["shards"]) == 57
    assert sorted((image["split"], image["index"]) for image in spec["unreadable"]) == [
        *(("test", index) for index in range(3)),
        *(("train", index) for index in (3, 20, 21)),
    ]
    assert "truncated" in spec["unreadable"][0]["reason"]
    assert not list((tmp_path / "out").glob("test*"))


def test_so_many_unreadable_images_are_named():
    found = [unreadable_image("val", number, f"{number}.jpg", "torn") for number in range(150)]
    with pytest.raises(FridoError, match=r"150 that cannot[\s\S]*\b99\.jpg: torn\n *and 50 more\n") as error:
        check_unreadable(found, 149)
    assert "100.jpg" not in str(error.value)
    check_unreadable(found, 150)


def test_a_mended_image_is_packed_by_the_same_command(tmp_path, holed, dataset, make_source, make_packing):
    with pytest.raises(FridoError):
        make_packing(max_unreadable=2).write(holed, tmp_path / "out", quiet=True)
    source = make_source()
    source.counts = dict(holed.counts)
    make_packing(max_unreadable=2).write(source, tmp_path / "out", quiet=True)
    make_packing().write(source, tmp_path / "whole", quiet=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
