"""A toy training on a disk that fails in the middle of it: a program for a namespace of its own (`unshare -m`).

`failing_disk.py FOLDER FAULT MENDED`: the disk is there from step 5 to step 10, or to the end where it is not mended.
"""

import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from toys import BATCH, ToyStream, trainer

from frido.contracts.errors import FridoError
from frido.engine import checkpoint

PATIENCE_SECONDS = 30


class Disk:
    """A file system of a few megabytes in memory, mounted where nobody else sees it."""

    def __init__(self, place: Path) -> None:
        self.place, self.filler = place, place / "filler"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=True)

    def fill(self) -> None:
        with self.filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1024))
            except OSError:
                pass

    def empty(self) -> None:
        self.filler.unlink()

    def lock(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(self.place)], check=True)

    def unlock(self) -> None:
        subprocess.run(["mount", "-o", "remount,rw", str(self.place)], check=True)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def main(folder: Path, fault: str, *, mended: bool) -> None:
    """Train until the end; print what was seen, and at last what is there."""
    torch.set_num_threads(1)
    logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
    disk = Disk(folder / "disk")
    breaks, mends = {"full": (disk.fill, disk.empty), "read-only": (disk.lock, disk.unlock)}[fault]

    def at_start(images_seen: int) -> None:
        if images_seen == 5 * BATCH:
            until(lambda: checkpoint.latest(disk.place) is not None)
            breaks()
        if images_seen == 10 * BATCH and mended:
            until(lambda: run.writer.failures > 0)
            newest = checkpoint.latest(disk.place)
            assert newest is not None and int(newest.name) == 4 * BATCH, "the one before stays"
            mends()

    run = trainer(disk.place, stream=ToyStream(at_start=at_start))
    try:
        run.run()
    except FridoError as error:
        print(f"refused: {error}")
        mends()
        trainer(disk.place).run()
    subprocess.run(["cp", "-r", str(disk.place), str(folder / "found")], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], mended=sys.argv[3] == "mended")
