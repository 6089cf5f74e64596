"""N images, an interruption and N more are the bits of 2N at once."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from frido.contracts.errors import FridoError
from frido.engine import checkpoint
from frido.engine.signals import INTERRUPTED, RESUMABLE, Stopped
from tests.engine.toys import BATCH, ToyStream, trainer

LAST = f"{12 * BATCH:012d}"
ROOT = Path(__file__).parents[2]


class CrashError(Exception):
    """A power cut."""


def at(step: int, do: object) -> ToyStream:
    """Return a stream that calls `do()` when step number `step` begins."""
    return ToyStream(at_start=lambda images_seen: do() if images_seen == step * BATCH else None)


def crash() -> None:
    raise CrashError


def look(images_seen: int, averaged: nn.Module) -> dict[str, float]:
    """Do everything to the training's surroundings that looking at samples could."""
    averaged.train()
    averaged.generator(torch.randn(2, 3, 8, 8))
    for tensor in averaged.state_dict().values():
        tensor.add_(1)
    torch.manual_seed(99)
    random.seed(99)
    np.random.seed(99)
    return {}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def precision(request):
    return request.param


@pytest.fixture(scope="module")
def quiet(tmp_path_factory, precision):
    """The directory of a training that nothing happened to."""
    directory = tmp_path_factory.mktemp("quiet")
    trainer(directory, precision=precision).run()
    return directory


def assert_same(one: Path, other: Path) -> None:
    """Every file of the last checkpoint, and every logged line, is the same to the byte."""
    for file in sorted((one / "checkpoints" / LAST).iterdir()):
        assert file.read_bytes() == (other / "checkpoints" / LAST / file.name).read_bytes(), file.name
    assert (one / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()


def test_something_is_trained(quiet):
    lines = [json.loads(line) for line in (quiet / "metrics.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [24, 48, 72, 96]
    assert lines[-1]["generator/reconstruction"] < lines[0]["generator/reconstruction"]
    found = checkpoint.read(quiet / "checkpoints" / LAST)
    assert not torch.equal(found.weights["generator.0.weight"], found.averages["half_life"]["generator.0.weight"])
    assert found.weights["generator.seen"] != 0


@pytest.mark.parametrize("step", [1, 5, 8, 11])
def test_crash(tmp_path, quiet, precision, step):
    with pytest.raises(CrashError):
        trainer(tmp_path / "run", precision=precision, stream=at(step, crash)).run()
    trainer(tmp_path / "run", precision=precision).run()
    assert_same(quiet, tmp_path / "run")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_signals_save_at_any_step(tmp_path, quiet, precision, number):
    """Also in the middle of a logged window, and twice."""
    for step in (2, 7):
        interrupted = trainer(
            tmp_path / "run", precision=precision, stream=at(step, lambda: os.kill(os.getpid(), number))
        )
        with pytest.raises(Stopped) as stopped:
            interrupted.run()
        assert stopped.value.code == (INTERRUPTED if number == signal.SIGINT else RESUMABLE)
        assert interrupted.images_seen == (step + 1) * BATCH
    trainer(tmp_path / "run", precision=precision).run()
    assert_same(quiet, tmp_path / "run")


def test_looking_changes_nothing(tmp_path, quiet, precision):
    seen = []

    def during(images_seen: int, averaged: nn.Module) -> dict[str, float]:
        seen.append(images_seen)
        return look(images_seen, averaged)

    trainer(tmp_path / "run", precision=precision, during=during).run()
    assert seen == [16, 32, 48, 64, 80, 96]
    assert_same(quiet, tmp_path / "run")


@pytest.mark.parametrize("precision", ["bf16"], indirect=True)
class TestDamage:
    """What a crash does to files; what a disk does to them is in test_faults.py."""

    def test_crash_while_a_checkpoint_is_written(self, tmp_path, quiet, monkeypatch):
        def save_half(tensors, path):
            if path.name == "optimizer.safetensors" and f"{8 * BATCH:012d}" in path.parent.name:
                path.write_bytes(b"half")
                raise CrashError
            whole(tensors, path)

        whole = checkpoint.save_file
        monkeypatch.setattr(checkpoint, "save_file", save_half)
        with pytest.raises(CrashError):
            trainer(tmp_path / "run").run()
        monkeypatch.undo()
        # A process that is killed outright leaves its unfinished folder behind.
        left = tmp_path / "run" / "checkpoints" / f".{8 * BATCH:012d}.partial-1"
        left.mkdir()
        (left / "model.safetensors").write_bytes(b"half")
        resumed = trainer(tmp_path / "run")
        resumed.restore()
        assert resumed.images_seen == 4 * BATCH
        assert not left.exists()
        resumed.run()
        assert_same(quiet, tmp_path / "run")

    def test_log_lines_after_the_checkpoint_are_cut(self, tmp_path, quiet):
        with pytest.raises(CrashError):
            trainer(tmp_path / "run", stream=at(7, crash)).run()
        log = tmp_path / "run" / "metrics.jsonl"
        assert [json.loads(line)["images"] for line in log.read_text().splitlines()] == [24, 48]
        log.write_text(log.read_text() + '{"images": 72, "gener')
        resumed = trainer(tmp_path / "run")
        resumed.restore()
        assert [json.loads(line)["images"] for line in log.read_text().splitlines()] == [24]
        resumed.run()
        assert_same(quiet, tmp_path / "run")

    def test_finished_run_stays_as_it_is(self, tmp_path, quiet):
        before = {path: path.read_bytes() for path in quiet.rglob("*") if path.is_file()}
        again = trainer(quiet)
        again.run()
        assert again.images_seen == 12 * BATCH
        assert {path: path.read_bytes() for path in quiet.rglob("*") if path.is_file()} == before


def test_sigterm_from_outside(tmp_path):
    """A process that a scheduler stops leaves with the code that says resumable; the next ends with the same bits."""
    trainer(tmp_path / "quiet").run()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tests" / "engine" / "toys.py"), str(tmp_path / "run"), str(5 * BATCH)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == RESUMABLE
    assert checkpoint.latest(tmp_path / "run").name == f"{6 * BATCH:012d}"
    trainer(tmp_path / "run").run()
    assert_same(tmp_path / "quiet", tmp_path / "run")


def test_other_data_is_refused(tmp_path):
    with pytest.raises(CrashError):
        trainer(tmp_path, stream=at(5, crash), facts={"data": "abc", "order": (32, 4)}).run()
    with pytest.raises(FridoError, match="abc"):
        trainer(tmp_path, facts={"data": "xyz", "order": (32, 4)}).run()
    trainer(tmp_path, facts={"data": "abc", "order": (32, 4)}).run()


def test_other_threads_are_announced(tmp_path, caplog):
    with pytest.raises(CrashError):
        trainer(tmp_path, stream=at(5, crash)).run()
    continued = trainer(tmp_path)
    torch.set_num_threads(2)
    try:
        continued.restore()
    finally:
        torch.set_num_threads(1)
    assert "threads 1 -> 2" in caplog.text
