"""Twelve faults, one by one. Some are injected elsewhere, beside what they are about; this is the list.

| fault | handled so | shown by |
|---|---|---|
| torn file | named, the checkpoint before is used, to the same bits | resume/test_faults.py::test_damage |
| flipped bit in each file of a checkpoint | the same | resume/test_faults.py::test_damage |
| missing manifest | the same | resume/test_faults.py::test_damage |
| disk full | told at each try, the training goes on, the checkpoint before stays | resume/test_faults.py::test_disk |
| read-only directory | the same | resume/test_faults.py::test_disk |
| clock jump | nothing feels it | resume/test_faults.py::test_clock_jump |
| a rank killed | all go back and on | engine/test_distributed.py::test_a_rank_that_is_killed_brings_all_back |
| a rank stalled | noticed, then the same | engine/test_distributed.py::test_a_rank_that_stands_still_is_noticed |
| port taken | one refusal that names it | engine/test_distributed.py::test_a_port_that_is_taken_is_named |
| NaN batch | named and kept; left out, or the end | engine/test_not_finite.py::test_in_a_row |
| SIGTERM storm | saved once, the code of one | resume/test_faults.py::test_sigterm_storm |
| two runs pointed at one directory | the second is refused | resume/test_faults.py::test_two_runs_in_one_directory |

Whole commands meet a killed and a stalled rank in resume/test_elastic.py, and torchrun a storm in cli/test_worker.py.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from frido.cli.compose import compose
from frido.cli.locks import hold
from frido.cli.rundir import RunDirectory
from frido.engine import checkpoint
from frido.engine.signals import RESUMABLE
from frido.run import main as run
from tests.engine.toys import BATCH, ToyStream, trainer

ROOT = Path(__file__).parents[2]
LAST = f"{12 * BATCH:012d}"
FILES = ("model.safetensors", "ema.half_life.safetensors", "optimizer.safetensors", "state.json", "manifest.json")


class PowerCutError(Exception):
    """Ends a training without a word."""


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def quiet(tmp_path_factory) -> Path:
    """The directory of a training that nothing happened to."""
    directory = tmp_path_factory.mktemp("quiet")
    trainer(directory).run()
    return directory


@pytest.fixture(scope="module")
def cut(tmp_path_factory) -> Path:
    """The directory of one that ended after its second checkpoint."""
    directory = tmp_path_factory.mktemp("cut")

    def end(images_seen: int) -> None:
        if images_seen == 9 * BATCH:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        trainer(directory, stream=ToyStream(at_start=end)).run()
    return directory


def assert_same(one: Path, other: Path) -> None:
    """The last checkpoint and every logged line are the same to the byte."""
    assert sorted(file.name for file in (one / "checkpoints" / LAST).iterdir()) == sorted(FILES)
    for file in sorted((one / "checkpoints" / LAST).iterdir()):
        assert file.read_bytes() == (other / "checkpoints" / LAST / file.name).read_bytes(), file.name
    assert (one / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()


def test_the_list_is_true():
    """Every test that the table names is there."""
    rows = re.findall(r"^\| (.+?) \| .+? \| ([\w/]+\.py)::(\w+) \|$", __doc__, flags=re.MULTILINE)
    assert len(rows) == 12
    for fault, file, name in rows:
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(), fault


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def missing(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", [flipped, torn, missing])
def test_damage(tmp_path, quiet, cut, caplog, harm, name):
    """Of the newest checkpoint: it is named, and the training goes on from the one before."""
    shutil.copytree(cut, tmp_path / "run")
    harm(checkpoint.folder(tmp_path / "run", 8 * BATCH) / name)
    continued = trainer(tmp_path / "run")
    continued.restore()
    assert continued.images_seen == 4 * BATCH
    assert f"{8 * BATCH:012d}" in caplog.text and "is damaged" in caplog.text
    continued.run()
    assert_same(quiet, tmp_path / "run")


def of_its_own() -> list[str]:
    """Return what starts a program in a namespace where it may mount; skip where the kernel refuses."""
    for command in (["unshare", "-m"], ["unshare", "-Urm"]):
        probe = [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        if shutil.which("unshare") and subprocess.run(probe, capture_output=True).returncode == 0:
            return command
    pytest.skip("no namespace to mount a small file system in: simulated in tests/engine/test_writer.py")


@pytest.mark.parametrize("mended", ["mended", pytest.param("not mended", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("fault", "words"), [("full", "No space left on device"), ("read-only", "Read-only file system")]
)
def test_disk(tmp_path, quiet, fault, words, mended):
    """A real file system that is full, or mounted read-only, from one checkpoint on."""
    program = ROOT / "tests" / "engine" / "failing_disk.py"
    command = [*of_its_own(), sys.executable, str(program), str(tmp_path), fault, mended]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    errors = [line for line in done.stdout.splitlines() if line.startswith("ERROR the checkpoint after 64 images")]
    assert len(errors) == 1 and words in errors[0] and "since image 32" in errors[0]
    refused = "refused: " in done.stdout
    assert refused == (mended == "not mended")
    if refused:
        assert "continues from the checkpoint after 32 images" in done.stdout
    assert_same(quiet, tmp_path / "found")


@pytest.mark.parametrize("hours", [-5, 5])
def test_clock_jump(tmp_path, quiet, monkeypatch, hours):
    """The clock on the wall jumps at every look at it."""
    jumps = 0
    true = time.time

    def jumping() -> float:
        nonlocal jumps
        jumps += 1
        return true() + 3600 * hours * jumps

    monkeypatch.setattr(time, "time", jumping)
    time.time()
    trainer(tmp_path / "run").run()
    monkeypatch.undo()
    assert_same(quiet, tmp_path / "run")
    for line in map(json.loads, (tmp_path / "run" / "timing.jsonl").read_text().splitlines()):
        assert 1 < line["generator/images_per_second"] < 1e6 and 0 <= line["generator/data_wait"] <= 1


def test_sigterm_storm(tmp_path, quiet):
    """Hundreds of signals until the process has left: it saves once, and leaves with the code of one."""
    command = [sys.executable, str(ROOT / "tests" / "engine" / "toys.py"), str(tmp_path / "run"), str(5 * BATCH)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.002)
    assert process.returncode == RESUMABLE
    newest = checkpoint.latest(tmp_path / "run")
    assert newest is not None and newest.name == f"{6 * BATCH:012d}"
    trainer(tmp_path / "run").run()
    assert_same(quiet, tmp_path / "run")


def test_two_runs_in_one_directory(tmp_path, capsys):
    """The second is refused, and nothing is written."""
    arguments = [f"run.root={tmp_path}"]
    directory = RunDirectory.planned(compose("run", arguments), recipe="main").path
    with hold(directory, wait=False):
        before = sorted(tmp_path.rglob("*"))
        assert run(arguments) == 2
        assert f"in use by process {os.getpid()}" in capsys.readouterr().err
        assert sorted(tmp_path.rglob("*")) == before
