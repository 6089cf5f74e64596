"""Files appear whole or not at all: write beside, fsync, rename."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def fsync(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Put `content` at `path`, replacing what is there, so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    fsync(path.parent)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` to fill; it becomes `path` when the block ends without an error.

    A crash leaves at most a `.NAME.partial-*` folder, which the next call for the same path removes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".{path.name}.partial-*"):
        shutil.rmtree(stale)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    partial.mkdir()
    try:
        yield partial
        for file in sorted(partial.rglob("*")):
            fsync(file)
        fsync(partial)
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
        fsync(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def append(path: Path, text: str) -> None:
    """Add `text`, whole lines, to the end of a file; it is on disk when this returns.

    Raises:
        OSError: As on a full disk; the file is then as it was.
    """
    with path.open("ab", buffering=0) as file:  # a buffer would be written after all, when the file is closed
        before = file.seek(0, os.SEEK_END)
        try:
            content = text.encode()
            while content:
                content = content[file.write(content) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise
