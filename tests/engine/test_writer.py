"""Checkpoints behind the training's back: of the right moment, whole, and never in its way."""

import json
import logging
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from threading import Event, Timer

import pytest
import torch
from torch import nn

from frido.contracts.errors import FridoError
from frido.engine import checkpoint
from frido.engine.checkpoint import Checkpoint
from frido.engine.copies import Copies
from frido.engine.signals import RESUMABLE, Stopped
from frido.engine.writer import Writer
from tests.engine.toys import BATCH, Generating, ToyStream, ToyTask, newest, trainer

store = checkpoint.store


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def writer(tmp_path) -> Writer:
    return Writer(directory=tmp_path, keep=newest(2))


@pytest.fixture
def disk(monkeypatch) -> Callable[[Callable[[int], None]], None]:
    """Have something happen before each checkpoint is written, told its images seen."""

    def set_up(happens: Callable[[int], None]) -> None:
        def instead(directory, images_seen, files, state):
            happens(images_seen)
            return store(directory, images_seen, files, state)

        monkeypatch.setattr(checkpoint, "store", instead)

    return set_up


def full(images_seen: int) -> None:
    raise OSError(28, "No space left on device")


def some(images_seen: int, weight: torch.Tensor | None = None) -> Checkpoint:
    weights = {"weight": torch.full((2, 2), float(images_seen)) if weight is None else weight}
    state = {"due": True, "window": {"loss": float(images_seen)}}
    return Checkpoint(images_seen, weights, {"half": weights}, {"phase.0.step": torch.tensor(1.0)}, state)


def names(directory) -> list[str]:
    return [path.name.lstrip("0") for path in sorted((directory / "checkpoints").iterdir())]


def test_the_moment_is_that_of_the_call(writer, disk, tmp_path):
    """The training goes on at once and changes everything in place."""
    released = Event()
    disk(lambda images_seen: released.wait(10))
    found = some(8)
    writer.write(found)
    assert not (tmp_path / "checkpoints").exists()
    found.weights["weight"].zero_()
    found.optimizers["phase.0.step"].zero_()
    found.state["window"]["loss"] = 0.0
    Timer(0.2, released.set).start()
    writer.finish()
    kept = checkpoint.read(checkpoint.latest(tmp_path))
    torch.testing.assert_close(kept.weights, some(8).weights, atol=0, rtol=0)
    torch.testing.assert_close(kept.averages, {"half": some(8).weights}, atol=0, rtol=0)
    torch.testing.assert_close(kept.optimizers, some(8).optimizers, atol=0, rtol=0)
    assert kept.state == some(8).state


def test_the_next_one_waits_and_leaves_the_first_alone(writer, disk, tmp_path, caplog, monkeypatch):
    """Both are in the same memory, one after the other."""
    monkeypatch.setattr("frido.engine.writer.PATIENCE_SECONDS", 0.1)
    disk(lambda images_seen: time.sleep(0.3 if images_seen == 8 else 0))
    start = time.perf_counter()
    writer.write(some(8))
    assert time.perf_counter() - start < 0.2
    with caplog.at_level(logging.WARNING):
        writer.write(some(16))
    assert time.perf_counter() - start > 0.3 and "after 16 images waited" in caplog.text
    writer.finish()
    for images in (8, 16):
        kept = checkpoint.read(checkpoint.folder(tmp_path, images))
        assert kept.weights["weight"][0, 0] == images and kept.state["window"]["loss"] == images


def test_the_bytes_are_those_of_writing_at_once(writer, tmp_path):
    task = ToyTask().to(memory_format=torch.channels_last)
    found = Checkpoint(8, task.state_dict(), {"half": task.state_dict()}, {}, {"b": 1, "a": {"2": 0.1}})
    writer.write(found)
    writer.finish()
    at_once = checkpoint.write(tmp_path / "at_once", found, keep=newest(1))
    for file in at_once.iterdir():
        assert file.read_bytes() == (checkpoint.folder(tmp_path, 8) / file.name).read_bytes()


CRASH = """
import os, sys
from pathlib import Path
import torch
from frido.engine import checkpoint
from frido.engine.checkpoint import Checkpoint
from frido.engine.keep import Keep
from frido.engine.writer import Writer

writer = Writer(directory=Path(sys.argv[1]), keep=Keep(last=1, every_images=None, best=None, highest=False))
writer.write(Checkpoint(8, {"w": torch.ones(3)}, {}, {}, {}))
writer.finish()
sha256 = checkpoint.sha256
checkpoint.sha256 = lambda file: os._exit(7) if file.name == sys.argv[2] else sha256(file)
writer.write(Checkpoint(16, {"w": torch.zeros(3)}, {}, {}, {}))
writer.finish()
"""


def test_a_crash_while_writing_leaves_the_one_before(tmp_path):
    done = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path), "optimizer.safetensors"])
    assert done.returncode == 7
    assert checkpoint.latest(tmp_path).name == f"{8:012d}"
    assert len(names(tmp_path)) == 2, "what was half written lies beside"
    checkpoint.tidy(tmp_path)
    assert names(tmp_path) == ["8"]


def test_what_cannot_be_written_is_told_and_tried_again(writer, disk, tmp_path, caplog):
    writer.write(some(8))
    writer.finish()
    checkpoint.folder(tmp_path, 99).mkdir()  # damaged, and skipped at the start
    disk(full)
    for images in (16, 24):
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            writer.write(some(images))
            writer.submit(lambda: None).result()
        assert "No space left" in caplog.text and f"after {images} images" in caplog.text
        assert "MB free" in caplog.text and "since image 8" in caplog.text
    assert names(tmp_path) == ["8", "99"] and writer.failures == 2
    with pytest.raises(FridoError) as refused:
        writer.finish()
    assert f"{24:012d}" in refused.value.what and "No space left" in refused.value.got
    assert "continues from the checkpoint after 8 images" in refused.value.do
    disk(lambda images_seen: None)
    writer.finish()
    assert names(tmp_path) == ["8", "24", "99"]


def test_a_folder_that_cannot_be_made(writer, tmp_path):
    (tmp_path / "checkpoints").write_text("in the way")
    writer.write(some(8))
    with pytest.raises(FridoError, match="from the start"):
        writer.finish()
    assert writer.failures == 2


def test_a_file_that_does_not_fit_leaves_nothing(writer, tmp_path):
    """The library that writes tensors has errors of its own."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        writer.write(some(8, torch.zeros(100_000)))
        assert not writer.settle()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(tmp_path) == []
    assert writer.settle() and checkpoint.latest(tmp_path).name == f"{8:012d}"


def test_an_old_one_that_cannot_be_removed_is_told(writer, tmp_path, monkeypatch, caplog):
    def refuse(*_, **__):
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(checkpoint, "prune", refuse)
    with caplog.at_level(logging.ERROR):
        writer.write(some(8))
        writer.finish()
    assert "Read-only" in caplog.text and writer.failures == 0


def test_an_error_of_ours_is_not_swallowed(writer, disk):
    def broken(images_seen):
        raise AssertionError("a promise")

    disk(broken)
    writer.write(some(8))
    with pytest.raises(AssertionError, match="a promise"):
        writer.write(some(16))


def test_ctrl_c_does_not_wait(writer, disk):
    released = Event()
    disk(lambda images_seen: released.wait(10))
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt), writer:
        writer.write(some(8))
        raise KeyboardInterrupt
    assert time.perf_counter() - start < 5
    released.set()
    writer.finish()


def test_copies_share_no_memory_and_use_theirs_again():
    shared = nn.Linear(2, 2)
    groups = {"model": nn.ModuleDict({"one": shared, "two": shared}).state_dict()}
    copies = Copies()
    first = copies.take(groups)["model"]
    places = [tensor.data_ptr() for tensor in first.values()]
    assert len(set(places)) == 4
    with torch.no_grad():
        shared.weight.zero_()
    again = copies.take(groups)["model"]
    assert [tensor.data_ptr() for tensor in again.values()] == places and again["two.weight"].abs().sum() == 0
    grown = copies.take({"model": {"one.weight": torch.ones(3, 3)}})["model"]
    assert torch.equal(grown["one.weight"], torch.ones(3, 3)) and list(grown) == ["one.weight"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_copies_of_a_gpu_are_pinned_and_complete():
    found = {"w": torch.randn(4096, 4096, device="cuda"), "c": torch.randn(2, 3, 4, 5, device="cuda")}
    found["c"] = found["c"].to(memory_format=torch.channels_last)
    copied = Copies().take({"model": found})["model"]
    expected = {name: tensor.cpu() for name, tensor in found.items()}
    found["w"].zero_()
    assert all(tensor.is_pinned() and tensor.is_contiguous() for tensor in copied.values())
    torch.testing.assert_close(copied, expected, atol=0, rtol=0)


# The training


def test_a_full_disk_does_not_change_the_training(tmp_path, disk, caplog):
    """The first two of three checkpoints fail; the last one has the bits of a quiet training."""
    trainer(tmp_path / "quiet").run()
    disk(lambda images_seen: full(images_seen) if images_seen < 12 * BATCH else None)
    with caplog.at_level(logging.ERROR):
        trainer(tmp_path / "full").run()
    assert len(caplog.records) == 2
    assert names(tmp_path / "full") == [str(12 * BATCH)]
    for file in checkpoint.latest(tmp_path / "quiet").iterdir():
        assert file.read_bytes() == (checkpoint.latest(tmp_path / "full") / file.name).read_bytes()
    assert (tmp_path / "full/metrics.jsonl").read_bytes() == (tmp_path / "quiet/metrics.jsonl").read_bytes()
    told = [json.loads(line) for line in (tmp_path / "full/timing.jsonl").read_text().splitlines()]
    assert [line.get("checkpoint_failures") for line in told][-1] == 2


def test_a_disk_that_stays_full_is_the_end_of_a_training(tmp_path, disk):
    disk(full)
    with pytest.raises(FridoError, match="No space left"):
        trainer(tmp_path).run()


def test_asked_to_stop_with_a_full_disk(tmp_path, disk, caplog):
    """The code is the documented one: the same command does continue, from the checkpoint before."""

    def stop(images_seen: int) -> None:
        if images_seen == 5 * BATCH:
            signal.raise_signal(signal.SIGTERM)

    disk(lambda images_seen: full(images_seen) if images_seen > 4 * BATCH else None)
    with caplog.at_level(logging.WARNING), pytest.raises(Stopped) as stopped:
        trainer(tmp_path, stream=ToyStream(at_start=stop)).run()
    assert stopped.value.code == RESUMABLE and "NOT SAVED" in caplog.text
    assert names(tmp_path) == [str(4 * BATCH)]
    disk(lambda images_seen: None)
    trainer(tmp_path).run()
    assert checkpoint.latest(tmp_path).name == f"{12 * BATCH:012d}"


class Failing(Generating):
    """Refuses the fifth batch."""

    def forward(self, batch):
        if 4 * BATCH in batch.positions:
            raise FridoError("the toy", got="broken", wanted="whole", do="mend it")
        return super().forward(batch)


def test_an_error_right_after_a_checkpoint_does_not_cost_it(tmp_path, disk):
    disk(lambda images_seen: time.sleep(0.3))
    task = ToyTask()
    with pytest.raises(FridoError, match="the toy"):
        trainer(tmp_path, task=task, phases=[Failing(task)]).run()
    assert checkpoint.latest(tmp_path).name == f"{4 * BATCH:012d}"


def test_asked_to_stop_waits_for_the_disk(tmp_path, disk):
    disk(lambda images_seen: time.sleep(0.3))

    def stop(images_seen: int) -> None:
        if images_seen == BATCH:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Stopped):
        trainer(tmp_path, stream=ToyStream(at_start=stop)).run()
    assert checkpoint.latest(tmp_path).name == f"{2 * BATCH:012d}"
