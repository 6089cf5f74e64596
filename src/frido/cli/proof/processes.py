"""A command of our own that may be killed at any moment, with everything that it started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PAUSE_SECONDS = 0.003


@contextmanager
def started(arguments: Sequence[str], *, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start `python -m frido.run` with `arguments`; what of it lives at the end of the block is killed.

    Args:
        arguments: Of the command.
        log: Takes what it says, behind what is there.
    """
    command = [sys.executable, "-m", "frido.run", *arguments]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        kill(process)


def wait(process: subprocess.Popen[bytes], *, until: Callable[[], bool]) -> bool:
    """Wait until something has come true, or the process has ended; return whether it has come true."""
    while not until():
        if process.poll() is not None:
            return until()
        time.sleep(PAUSE_SECONDS)
    return True


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that descends from it, without warning, as a power cut would.

    Descendants are found in `/proc` (torchrun gives each of its workers a session of its own); where there is none,
    only the process itself is killed.
    """
    if process.poll() is not None:
        return
    stopped: set[int] = set()
    while new := {process.pid, *_descendants(process.pid)} - stopped:  # what is stopped starts nothing more
        for pid in new:
            _send(pid, signal.SIGSTOP)
        stopped |= new
    for pid in stopped:
        _send(pid, signal.SIGKILL)
    process.wait()
    while any(_lives(pid) for pid in stopped):
        time.sleep(PAUSE_SECONDS)


def _descendants(pid: int) -> set[int]:
    parents = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parents[int(file.parent.name)] = int(_fields(file)[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def _lives(pid: int) -> bool:
    with suppress(OSError):
        return _fields(Path(f"/proc/{pid}/stat"))[0] not in "ZX"
    return False


def _fields(file: Path) -> list[str]:
    """Return what follows the name of a process: its state, its parent, ..."""
    return file.read_text().rpartition(")")[2].split()


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
