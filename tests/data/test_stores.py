"""Bytes of shards, from wherever they lie, past servers that fail and disks that are full."""

import asyncio
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from frido.contracts.errors import FridoError
from frido.data.shards import read_spec
from frido.data.stores.at import store_at
from frido.data.stores.base import Part
from frido.data.stores.cache import NoRoomError, ShardCache
from frido.data.stores.cached import CachedStore
from frido.data.stores.pinned import pin
from frido.data.stores.remote import Remote
from tests.data import http_server as http


@pytest.fixture
def server(dataset):
    with http.serving(dataset) as server:
        yield server


@pytest.fixture
def hasty(monkeypatch):
    """Waits of milliseconds."""
    monkeypatch.setattr(Remote, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr(Remote, "DEADLINE", 0.4)
    monkeypatch.setattr(Remote, "SILENCE", 0.2)


def part_of(root: Path, number: int = 0) -> Part:
    shard = read_spec(root)["splits"]["train"]["shards"][number]
    return Part(shard["name"], shard["bytes"], shard["sha256"])


def made(content: bytes) -> Part:
    return Part("some.tar", len(content), hashlib.sha256(content).hexdigest())


def store(url: str, tmp_path: Path, *, cache_gb: float):
    return store_at(url, pinned=pin(Remote(url), tmp_path / "pinned"), cache=tmp_path / "cache", cache_gb=cache_gb)


def content_of(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def names(folder: Path) -> set[str]:
    return {path.suffix for path in folder.iterdir() if path.suffix != ".lock"}


# Requests


@pytest.mark.parametrize("fault", [http.dropped, http.refused, http.unavailable, http.silent, http.trickling])
def test_requests_that_fail_are_repeated(dataset, server, hasty, fault):
    server.faults["train-000000.tar"] = [fault, fault]
    assert (
        Remote(server.url).get("train-000000.tar", 100, 1000) == (dataset / "train-000000.tar").read_bytes()[100:1000]
    )
    assert server.requests["train-000000.tar"] == 3


@pytest.mark.parametrize(
    ("name", "fault", "number", "why"),
    [("nothing.tar", None, errno.ENOENT, "no such file"), ("train-000000.tar", http.forbidden, errno.EIO, "HTTP 403")],
)
def test_final_answers_are_not_asked_for_twice(server, name, fault, number, why):
    if fault:
        server.always[name] = fault
    remote = Remote(server.url)
    for _ in range(2):
        with pytest.raises(OSError) as error:
            remote.get(name)
        assert (error.value.errno, error.value.strerror) == (number, why)
    assert server.requests[name] == 1
    with pytest.raises(OSError) as error:
        Remote(server.url).size("nothing.tar")
    assert error.value.strerror == "no such file"


def test_what_failed_is_refused_for_a_while(server, hasty, monkeypatch):
    server.always["dataset.json"] = http.unavailable
    remote = Remote(server.url)
    for _ in range(3):
        with pytest.raises(OSError) as error:
            remote.get("dataset.json")
        assert error.value.strerror == "HTTP 503, 4 times"
    assert server.requests["dataset.json"] == 4
    server.always.clear()
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + Remote.FORGET)
    assert json.loads(remote.get("dataset.json"))


@pytest.mark.parametrize("fault", [http.silent, http.trickling])
def test_nobody_waits_for_ever(server, hasty, monkeypatch, fault):
    monkeypatch.setattr(Remote, "PATIENCE", 0.9)
    server.always["train-000000.tar"] = fault
    began = time.monotonic()
    with pytest.raises(OSError) as error:
        Remote(server.url).get("train-000000.tar")
    assert error.value.strerror.startswith("no answer in time")
    assert time.monotonic() - began < 0.9 + 2 * Remote.DEADLINE
    assert server.requests["train-000000.tar"] > 1


def test_every_protocol_has_the_deadline(hasty):
    import fsspec
    from fsspec.asyn import AsyncFileSystem

    class Stuck(AsyncFileSystem):
        protocol = "stuck"

        async def _cat_file(self, path, start=None, end=None, **kwargs):
            await asyncio.sleep(60)

    fsspec.register_implementation("stuck", Stuck, clobber=True)
    began = time.monotonic()
    with pytest.raises(OSError) as error:
        Remote("stuck://bucket/vg").get("dataset.json")
    assert error.value.strerror == "no answer in time, 4 times" and time.monotonic() - began < 10


def test_nobody_listens(hasty):
    with http.serving(Path()) as server:
        url = server.url
    with pytest.raises(OSError) as error:
        Remote(url).get("dataset.json")
    assert "Connect" in error.value.strerror and "4 times" in error.value.strerror


def test_an_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(FridoError, match=r"pip install frido\[s3\]"):
        Remote("s3://bucket/vg")
    with pytest.raises(FridoError, match="nonsense"):
        Remote("nonsense://bucket/vg")


def test_a_forked_process_reads_too(server):
    script = f"""
import os, threading
from frido.data.stores.remote import Remote
remote = Remote({server.url!r})
assert remote.get("dataset.json")
child = os.fork()
if not child:
    threads = [threading.Thread(target=remote.get, args=("tokenizer.json",)) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    os._exit(0 if remote.get("dataset.json") else 1)
assert os.waitpid(child, 0)[1] == 0
assert remote.get("dataset.json")
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=20)
    assert server.requests["dataset.json"] == 3


# Stores


@pytest.mark.parametrize("cache_gb", [0.0, 1.0])
@pytest.mark.parametrize("protocol", ["http", "memory", "file"])
def test_any_protocol_gives_the_same_bytes(dataset, server, tmp_path, protocol, cache_gb):
    url = {"http": server.url, "memory": "memory://vg", "file": f"file://{dataset}"}[protocol]
    if protocol == "memory":
        import fsspec

        fsspec.filesystem("memory").put(f"{dataset}/", "/vg/", recursive=True)
    found, part = store(url, tmp_path, cache_gb=cache_gb), part_of(dataset, 1)
    content = (dataset / part.name).read_bytes()
    for offset, length in [(0, 10), (512, 2000), (part.bytes - 5, 5), (part.bytes - 5, 50), (0, part.bytes)]:
        assert found.read(part, offset, length) == content[offset : offset + length]
    found.check([part])
    assert found.small("tokenizer.json") == (dataset / "tokenizer.json").read_bytes()
    assert found.path(part.name) == f"{url}/{part.name}"


def test_requests_are_counted(dataset, server, tmp_path, monkeypatch):
    part = part_of(dataset)
    ranged = store(server.url, tmp_path, cache_gb=0.0)
    for offset in (0, 512, 1024):
        ranged.read(part, offset, 512)
    assert (server.requests[part.name], server.sent[part.name]) == (3, 1536)
    monkeypatch.setattr(CachedStore, "PIECE", part.bytes // 2)
    cached = store(server.url, tmp_path, cache_gb=1.0)
    for offset in (0, 512, 1024):
        cached.read(part, offset, 512)
    assert (server.requests[part.name], server.sent[part.name]) == (3 + 2, 1536 + part.bytes)
    for _ in range(3):
        cached.small("train-000000.index.json")
    assert server.requests["train-000000.index.json"] == 1


def test_small_files_are_those_that_were_packed(dataset, server, tmp_path):
    found, right = store(server.url, tmp_path, cache_gb=0.0), (dataset / "train-000000.index.json").read_bytes()
    (pinned,) = (tmp_path / "pinned").iterdir()
    server.faults["train-000000.index.json"] = [http.flipped]
    assert found.small("train-000000.index.json") == right
    (pinned / "train-000000.index.json").write_bytes(right[:-1])  # the copy goes bad
    assert found.small("train-000000.index.json") == right
    assert server.requests["train-000000.index.json"] == 3
    server.always["tokenizer.json"] = http.flipped
    assert found.small("tokenizer.json") != (dataset / "tokenizer.json").read_bytes()
    assert not (pinned / "tokenizer.json").exists()


def test_servers_without_ranges(dataset, server, tmp_path):
    server.ranges = False
    part = part_of(dataset)
    with pytest.raises(OSError) as error:
        store(server.url, tmp_path, cache_gb=0.0).read(part, 0, 512)
    assert "set data.cache_gb" in error.value.strerror
    with pytest.raises(FridoError, match=r"whole files") as refused:
        store(server.url, tmp_path, cache_gb=0.0).check([part])
    assert refused.value.do == "data.cache_gb=50"
    store(server.url, tmp_path, cache_gb=1.0).check([part])
    assert store(server.url, tmp_path, cache_gb=1.0).read(part, 512, 9) == (dataset / part.name).read_bytes()[512:521]


def test_shards_are_looked_for_at_the_same_time(dataset, server, tmp_path, monkeypatch):
    parts = [part_of(dataset, number) for number in range(4)]
    everyone = threading.Barrier(len(parts))
    size = Remote.size

    def waiting(remote, name):
        everyone.wait(5)
        return size(remote, name)

    monkeypatch.setattr(Remote, "size", waiting)
    store(server.url, tmp_path, cache_gb=1.0).check(parts)
    monkeypatch.undo()
    for _ in range(2):
        store(server.url, tmp_path, cache_gb=0.0).check(parts)
    assert {server.requests[f"train-{number:06d}.index.json"] for number in range(4)} == {1}
    server.root = tmp_path
    with pytest.raises(FridoError, match=r"train-000000\.tar"):
        store_at(server.url, pinned=next((tmp_path / "pinned").iterdir()), cache=tmp_path, cache_gb=1.0).check(parts)


# Copies


def test_the_bound_holds_and_what_was_read_last_stays(tmp_path):
    cache, parts = ShardCache(tmp_path / "cache", 3500), [made(bytes([n]) * 1000) for n in range(5)]
    fetched = []

    def fetch(number: int) -> None:
        found = cache.open(parts[number])
        if found is None:
            fetched.append(number)
            found = cache.fetch(parts[number], lambda: [bytes([number]) * 600, bytes([number]) * 400])
        assert content_of(found) == bytes([number]) * 1000
        assert sum(path.stat().st_size for path in cache.folder.glob("*.tar")) <= 3500

    for number in (0, 1, 2, 0, 3, 0, 2, 1):
        fetch(number)
        time.sleep(0.01)  # file times have steps
    assert fetched == [0, 1, 2, 3, 1]
    with pytest.raises(NoRoomError, match="no room for 4000 bytes"):
        cache.fetch(made(b"x" * 4000), lambda: pytest.fail("asked for what cannot be kept"))


def test_a_copy_that_made_room_can_be_read_on(tmp_path):
    cache, first = ShardCache(tmp_path, 1000), made(b"a" * 1000)
    descriptor = cache.fetch(first, lambda: [b"a" * 1000])
    os.close(cache.fetch(made(b"b" * 1000), lambda: [b"b" * 1000]))
    assert cache.open(first) is None
    assert content_of(descriptor) == b"a" * 1000


@pytest.mark.parametrize("wrong", [b"b" * 1000, b"a" * 999, b"a" * 1001, b""])
def test_only_what_was_packed_is_kept(tmp_path, wrong):
    cache, part, answers = ShardCache(tmp_path, 5000), made(b"a" * 1000), [wrong, b"a" * 1000]
    os.close(cache.fetch(part, lambda: [answers.pop(0)]))
    cache.drop(part)
    with pytest.raises(OSError, match="2 times"):
        cache.fetch(part, lambda: [wrong])
    assert cache.open(part) is None and names(tmp_path) == {".failed"}


def test_a_copy_of_another_size_is_none(tmp_path):
    cache, part = ShardCache(tmp_path, 5000), made(b"a" * 1000)
    os.close(cache.fetch(part, lambda: [b"a" * 1000]))
    (path,) = tmp_path.glob("*.tar")
    assert cache.holds(part)
    path.write_bytes(b"a" * 999)
    assert cache.open(part) is None and not cache.holds(part)
    assert content_of(cache.fetch(part, lambda: [b"a" * 1000])) == b"a" * 1000


def test_others_wait_and_hear_how_it_went(tmp_path):
    cache, part, begun, going = ShardCache(tmp_path, 5000), made(b"a" * 1000), threading.Event(), threading.Event()
    content, results = [b"a" * 1000], []

    def pieces():
        begun.set()
        going.wait(5)
        if not content:
            raise OSError(errno.EIO, "HTTP 503, 4 times")
        yield from content

    def fetch(pieces) -> None:
        try:
            results.append(content_of(cache.fetch(part, pieces)))
        except OSError as error:
            results.append(error.strerror)

    def both() -> list:
        results.clear(), begun.clear(), going.clear()
        threads = [threading.Thread(target=fetch, args=(pieces,))]
        threads += [threading.Thread(target=fetch, args=(lambda: pytest.fail("fetched twice"),)) for _ in range(2)]
        threads[0].start()
        begun.wait(5)
        [thread.start() for thread in threads[1:]]
        time.sleep(0.1)
        assert cache.open(part) is None
        going.set()
        [thread.join() for thread in threads]
        return results

    assert both() == [b"a" * 1000] * 3
    cache.drop(part)
    content.clear()
    assert both() == ["HTTP 503, 4 times"] * 3
    assert content_of(cache.fetch(part, lambda: [b"a" * 1000])) == b"a" * 1000  # whoever comes later asks anew


def full(after: int):
    """Return an `os.write` to a disk with room for some bytes more."""
    left = after

    def write(descriptor, piece, real=os.write):
        nonlocal left
        if Path(f"/proc/self/fd/{descriptor}").readlink().suffix == ".partial":
            left -= len(piece)
            if left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, piece)

    return write


def test_a_full_disk_gives_up_old_copies_first(tmp_path, monkeypatch):
    cache, parts = ShardCache(tmp_path, 10**6), [made(bytes([n]) * 1000) for n in range(3)]
    for number in (0, 1):
        os.close(cache.fetch(parts[number], lambda number=number: [bytes([number]) * 1000]))
        time.sleep(0.01)  # file times have steps
    monkeypatch.setattr(os, "write", full(500))
    with pytest.raises(NoRoomError, match="No space left"):
        cache.fetch(parts[2], lambda: [bytes([2]) * 500] * 2)
    assert cache.open(parts[0]) is None and os.fstat(cache.open(parts[1])).st_size == 1000
    assert names(tmp_path) == {".tar"}


def test_a_disk_that_looks_full_is_not_written_to(tmp_path, monkeypatch):
    from collections import namedtuple

    cache, old = ShardCache(tmp_path, 10**6), made(b"a" * 1000)
    os.close(cache.fetch(old, lambda: [b"a" * 1000]))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(0, 0, 1200 - len(list(tmp_path.glob("*.tar"))) * 1000))
    os.close(cache.fetch(made(b"b" * 1000), lambda: [b"b" * 1000]))
    assert cache.open(old) is None
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(0, 0, 10))
    with pytest.raises(NoRoomError):
        cache.fetch(made(b"c" * 1000), lambda: pytest.fail("asked for what cannot be kept"))


def test_without_room_ranges_are_read(dataset, server, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(os, "write", full(0))
    found, part = store(server.url, tmp_path, cache_gb=1.0), part_of(dataset)
    content = (dataset / part.name).read_bytes()
    for offset in (0, 512, 1024):
        assert found.read(part, offset, 512) == content[offset : offset + 512]
    assert [record.message.split(": ")[1] for record in caplog.records] == [
        "No space left on device; reading without it, by single requests"
    ]
    assert server.requests[part.name] == 1 + 3  # one was tried in vain
    monkeypatch.undo()
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + CachedStore.PAUSE)
    assert found.read(part, 0, 512) == content[:512]
    assert list((tmp_path / "cache").glob("*.tar"))


def test_a_file_limit_is_a_full_disk(dataset, server, tmp_path):
    store(server.url, tmp_path, cache_gb=1.0)
    (pinned,) = (tmp_path / "pinned").iterdir()
    script = f"""
import resource
from pathlib import Path
from frido.data.stores.at import store_at
from frido.data.stores.base import Part
part = Part(*{tuple(part_of(dataset))!r})
folder = Path({str(tmp_path)!r})
found = store_at({server.url!r}, pinned=Path({str(pinned)!r}), cache=folder / "cache", cache_gb=1.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (part.bytes - 100, part.bytes - 100))
assert found.read(part, 512, 512) == Path({str(dataset / part_of(dataset).name)!r}).read_bytes()[512:1024]
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=20, stderr=subprocess.DEVNULL)
    assert names(tmp_path / "cache") == set()


# Processes


READER = """
import sys
from pathlib import Path
from frido.data.stores.at import store_at
from frido.data.stores.base import Part
from frido.data.stores.cached import CachedStore
url, pinned, cache, piece, name, size, sha256 = sys.argv[1:]
CachedStore.PIECE = int(piece)
found = store_at(url, pinned=Path(pinned), cache=Path(cache), cache_gb=1.0)
sys.stdout.buffer.write(found.read(Part(name, int(size), sha256), 0, int(size)))
"""


def reader(url: str, tmp_path: Path, part: Part, *, piece: int = 2**24) -> subprocess.Popen:
    (pinned,) = (tmp_path / "pinned").iterdir()
    arguments = [url, pinned, tmp_path / "cache", piece, *part]
    return subprocess.Popen([sys.executable, "-c", READER, *map(str, arguments)], stdout=subprocess.PIPE)


def test_processes_that_race_fetch_a_shard_once(dataset, server, tmp_path):
    store(server.url, tmp_path, cache_gb=1.0)
    part = part_of(dataset)
    server.always[part.name] = http.slow
    processes = [reader(server.url, tmp_path, part) for _ in range(2)]
    found = [process.communicate(timeout=30)[0] for process in processes]
    assert found == [(dataset / part.name).read_bytes()] * 2
    assert server.requests[part.name] == 1


def test_a_fetch_that_was_killed_leaves_nothing_behind(dataset, server, tmp_path):
    found, part, other = store(server.url, tmp_path, cache_gb=1.0), part_of(dataset), part_of(dataset, 1)
    server.faults[part.name] = [lambda handler, content: handler.answer(content, told=len(content)), http.silent]
    process = reader(server.url, tmp_path, part, piece=2000)
    began = time.monotonic()
    while server.requests[part.name] < 2:
        assert process.poll() is None and time.monotonic() < began + 20
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert names(tmp_path / "cache") == {".partial"}
    found.read(other, 0, 1)  # whatever is fetched next clears up
    assert names(tmp_path / "cache") == {".tar"}
    assert found.read(part, 0, part.bytes) == (dataset / part.name).read_bytes()
