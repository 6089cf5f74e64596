"""What reaches torchrun of a request to stop, and what a worker that ended for a reason tells those that come after."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from frido.cli import ending
from frido.contracts.errors import FridoError
from frido.engine.signals import INTERRUPTED, RESUMABLE, Stopped

PARENT = "import sys; from frido.cli.worker import _forwarding; print(_forwarding(sys.argv[1:]), flush=True)"
CHILD = """
    import os, signal, sys, time
    from pathlib import Path
    heard = []
    signal.signal(signal.SIGTERM, lambda *_: heard.append("TERM"))
    grandchild = os.fork()
    if grandchild == 0:
        os.setsid()
        time.sleep(60)
    print("ready", os.getpid(), grandchild, flush=True)
    while not heard or "stubborn" in sys.argv:
        time.sleep(0.01)
    time.sleep(0.5)
    os.kill(grandchild, signal.SIGKILL)
    print(*heard, flush=True)
    sys.exit(7)
"""


def parent(tmp_path, *words):
    """Return a parent that forwards to a child in the place of torchrun, and the ids of the child and its child."""
    (tmp_path / "child.py").write_text(textwrap.dedent(CHILD))
    command = [sys.executable, "-c", PARENT, sys.executable, str(tmp_path / "child.py"), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    _, *pids = process.stdout.readline().split()
    return process, [int(pid) for pid in pids]


def lives(pid: int) -> bool:
    """Return whether a process runs; one that nobody has buried yet does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_storm_of_requests_is_passed_on_once(tmp_path, number):
    with parent(tmp_path)[0] as process:
        for _ in range(10):
            process.send_signal(number)
            time.sleep(0.01)
        said, _ = process.communicate(timeout=60)
    assert said == f"TERM\n{(1, RESUMABLE)}\n"


def test_the_second_ctrl_c_stops_everything_at_once(tmp_path):
    process, pids = parent(tmp_path, "stubborn")
    with process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert said == f"{(1, INTERRUPTED)}\n"
    assert not any(map(lives, pids))


def test_slurms_warning_reaches_this_process_alone(tmp_path):
    process, (child, _) = parent(tmp_path)
    with process:
        os.kill(child, signal.SIGUSR2)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert said.startswith("TERM\n")


@pytest.fixture
def restarted(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "this")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")


@pytest.mark.parametrize(("error", "code"), [(FridoError("x", got=1, wanted="2", do="3"), 2), (Stopped(75), 75)])
def test_what_would_only_repeat_is_told(tmp_path, restarted, monkeypatch, error, code):
    with pytest.raises(type(error)), ending.told(tmp_path):
        raise error
    assert ending.before_a_restart(tmp_path) == ending.code(tmp_path, torchrun="this") == code
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")  # somebody typed the command again
    assert ending.before_a_restart(tmp_path) is None
    assert ending.code(tmp_path, torchrun="another") is None


def test_a_crash_is_not_told(tmp_path, restarted):
    with pytest.raises(RuntimeError), ending.told(tmp_path):
        raise RuntimeError
    assert ending.before_a_restart(tmp_path) is None


def test_alone_nothing_is_told(tmp_path):
    with pytest.raises(FridoError), ending.told(tmp_path):
        raise FridoError("x", got=1, wanted="2", do="3")
    assert not list(tmp_path.iterdir())


def test_a_torn_word_is_none(tmp_path, restarted):
    (tmp_path / ending.NAME).write_text(json.dumps({"torchrun": "this"})[:5])
    assert ending.before_a_restart(tmp_path) is None
