"""One process at a time, by advisory locks of the operating system: they vanish with their process.

A lock is `flock` on a file beside the folder, so what it promises on a folder that several machines share is what the
file system promises. NFS version 4 and Lustre (mounted with `flock`) keep machines apart; what a machine held that
vanished is free once the server's lease has run out, some ninety seconds. NFS version 3 without its lock daemon and
Lustre with `localflock` keep apart the processes of one machine only.
"""

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frido.contracts import atomic
from frido.contracts.errors import FridoError

A_LOOK = 0.5
"""Seconds to wait for a lock before it is taken to be held: longer than others look at it (`held`)."""


@contextmanager
def hold(folder: Path, *, wait: bool | float) -> Iterator[None]:
    """Own `folder` for the length of the block; the lock lies beside it, as `.NAME.lock`.

    Args:
        folder: Need not exist.
        wait: Wait for whoever holds it, as long as it takes or so many seconds, instead of refusing (after a moment).
    """
    from filelock import FileLock, Timeout

    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.parent / f".{folder.name}.lock", timeout=-1 if wait is True else max(float(wait), A_LOOK))
    holder = folder.parent / f".{folder.name}.holder.json"
    try:
        lock.acquire()
    except NotImplementedError as error:
        raise FridoError(
            str(folder.parent), got=str(error), wanted="a file system with locks", do="run.root=SOME_FOLDER elsewhere"
        ) from None
    except Timeout:
        raise FridoError(
            str(folder),
            got=f"in use by {_described(holder)}",
            wanted="one process at a time",
            do="wait for it, or stop it; a run with another seed has a folder of its own",
        ) from None
    try:
        started = time.strftime("%Y-%m-%d %H:%M:%S")
        atomic.write_json(holder, {"process": os.getpid(), "host": platform.node(), "since": started})
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def held(folder: Path) -> bool:
    """Return whether a process owns `folder` now. Looking takes the lock for a moment: who wants it waits that long."""
    from filelock import FileLock, Timeout

    file = folder.parent / f".{folder.name}.lock"
    if not file.is_file():
        return False
    try:
        with FileLock(file, timeout=0):
            return False
    except Timeout:
        return True


def _described(holder: Path) -> str:
    try:
        card = json.loads(holder.read_text())
    except (OSError, ValueError):  # between taking the lock and writing the card
        return "another process"
    return f"process {card['process']} on {card['host']} since {card['since']}"
