"""A dataset that is being packed: a hidden folder beside its place, from which a stopped command goes on."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from frido.contracts import atomic
from frido.contracts.errors import FridoError

LOCK, PRESENCE, SETTINGS, DATASET, DONE, REPLACED = "lock", "presence", "settings.json", "dataset", "done", "replaced"


class Unfinished:
    """The folder `.NAME.partial` beside `NAME`, owned by this process.

    A shard counts as finished once its record lies in `done/`, which is written after the shard itself has reached
    the disk; whatever else lies in `dataset/` is removed and written again.

    Attributes:
        dataset: The folder that becomes `NAME`.
        presence: Locked by packing processes while they live.
    """

    def __init__(self, out: Path, folder: Path) -> None:
        self._out, self._folder = out, folder
        self.dataset, self.presence = folder / DATASET, folder / PRESENCE

    def records(self) -> dict[str, dict[str, Any]]:
        """Return what was recorded of finished shards, by name."""
        return {path.stem: json.loads(path.read_text()) for path in sorted((self._folder / DONE).glob("*.json"))}

    def record(self, shard: str, value: dict[str, Any]) -> None:
        """Remember that `shard`, which is on the disk, is finished."""
        atomic.write_json(self._folder / DONE / f"{shard}.json", value)

    def publish(self) -> None:
        """Put the dataset in its place, whole, instead of what may be there."""
        for file in sorted(self.dataset.iterdir()):
            atomic.fsync(file)
        atomic.fsync(self.dataset)
        if self._out.exists():
            self._out.rename(self._folder / REPLACED)
        self.dataset.rename(self._out)
        atomic.fsync(self._out.parent)

    def begin(self, settings: dict[str, Any], say: Callable[[str], None]) -> None:
        """Go on with what an earlier command with these settings left, or start anew."""
        known = self._folder / SETTINGS
        if known.is_file() and json.loads(known.read_text()) != settings:
            say(f"an unfinished pack of {self._out} had other settings: starting anew")
            known.unlink()  # first: `published` trusts it
            for folder in (self._folder / name for name in (DONE, DATASET, REPLACED)):
                shutil.rmtree(folder, ignore_errors=True)
        self.dataset.mkdir(exist_ok=True)
        atomic.write_json(known, settings)
        records = self.records()
        for path in self.dataset.iterdir():
            if path.name.partition(".")[0] not in records:
                path.unlink()
        if records:
            say(f"going on with an unfinished pack of {self._out}: {len(records)} shards are there")


def published(out: Path, settings: dict[str, Any]) -> bool:
    """Return whether a command with these settings was stopped after `publish`, before it had tidied up."""
    folder = _folder(out)
    known = folder / SETTINGS
    moved = known.is_file() and (folder / DONE).is_dir() and not (folder / DATASET).exists() and out.is_dir()
    return moved and json.loads(known.read_text()) == settings


@contextmanager
def unfinished(out: Path) -> Iterator[Unfinished]:
    """Own the unfinished form of the dataset `out`. It is kept when the block fails after a shard was finished.

    Raises:
        FridoError: Another command is at it.
    """
    folder = _folder(out)
    lock = _locked(folder, out)
    work = Unfinished(out, folder)
    with work.presence.open("a") as processes:
        fcntl.flock(processes, fcntl.LOCK_EX)  # those of a command that was killed may still be ending
    try:
        yield work
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        if not work.records():
            shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        lock.close()


def _folder(out: Path) -> Path:
    return out.parent / f".{out.name}.partial"


def _locked(folder: Path, out: Path) -> IO[str]:
    """Return the open lock file of `folder`, made where it is not there, with an exclusive lock on it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            file = (folder / LOCK).open("a")
        except FileNotFoundError:  # whoever had it has just tidied up
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise FridoError(
                f"out={out}", got="another command that packs to it", wanted="one at a time", do="wait for it"
            ) from None
        if (folder / LOCK).exists() and os.path.samestat(os.fstat(file.fileno()), (folder / LOCK).stat()):
            return file
        file.close()
