import os
import signal
import subprocess
import sys
import time

import pytest

from frido.cli.locks import hold
from frido.contracts.errors import FridoError

HOLDER = (
    "import sys, time; from pathlib import Path; from frido.cli.locks import hold\n"
    "with hold(Path(sys.argv[1]), wait=False):\n"
    "    print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def other(tmp_path):
    """Another process that holds the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "run")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_second_process_is_told_who_holds_it(tmp_path, other):
    with pytest.raises(FridoError, match=f"process {other.pid}"), hold(tmp_path / "run", wait=False):
        pass


def test_killed_process_holds_nothing(tmp_path, other):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    with hold(tmp_path / "run", wait=False):
        pass


def test_waiting_gets_it_in_the_end(tmp_path, other):
    started = time.perf_counter()
    subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -9 {other.pid}"]).wait()
    with hold(tmp_path / "run", wait=True):
        assert time.perf_counter() - started >= 0.5


def test_other_folders_are_free_and_the_folder_itself_is_untouched(tmp_path, other):
    with hold(tmp_path / "run2", wait=False):
        assert not (tmp_path / "run2").exists()
