"""Whole shards in a folder of bounded size that any number of processes share."""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from frido.data.stores.base import Part


class NoRoomError(Exception):
    """A shard cannot be kept; whoever needs it has to do without a copy."""


class ShardCache:
    """Copies of shards, each named by its SHA-256, so that equal ones are kept once whatever they were fetched from.

    A copy is written beside its place, checked, and renamed: it is whole or not there. While one process fetches a
    shard, others wait for it. Copies that were not read for the longest time make room for new ones; who still reads
    one of them is not disturbed. The folder has to be on a disk of this machine.
    Empty `.lock` files stay, one for each shard that was ever fetched: who waits for a lock has its file open, and
    would hold one that is gone while the next process makes another. Where nothing runs they may be deleted.

    Args:
        folder: Made when it is not there.
        most: Bytes that all copies may take together, those being written included.
    """

    WAIT = 600.0
    """Seconds to wait for another process that fetches the same shard."""
    TRIES = 2
    """Times that a shard is fetched until its SHA-256 is right."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most = folder, most

    def open(self, part: Part) -> int | None:
        """Return a descriptor of the copy of a shard; `None` where there is none of the right size."""
        try:
            descriptor = os.open(self._copy(part), os.O_RDONLY)
        except FileNotFoundError:
            return None
        if os.fstat(descriptor).st_size != part.bytes:
            os.close(descriptor)
            return None
        with contextlib.suppress(OSError):  # a copy of another user
            os.utime(descriptor)  # when it was read last
        return descriptor

    def holds(self, part: Part) -> bool:
        """Return whether there is a copy of the right size; it does not count as read."""
        with contextlib.suppress(OSError):
            return self._copy(part).stat().st_size == part.bytes
        return False

    def fetch(self, part: Part, pieces: Callable[[], Iterable[bytes]]) -> int:
        """Return a descriptor of the copy of a shard, fetched first unless another process did so in the meantime.

        Args:
            part: The shard.
            pieces: Starts to fetch its content.

        Raises:
            NoRoomError: It cannot be kept.
            OSError: It cannot be fetched, or is not what was packed; also if that is what another process just found.
        """
        asked = time.time()
        lock = FileLock(self._beside(part, "lock"), timeout=self.WAIT)
        with _locally():
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            found = self.open(part)
            if found is not None:
                return found
            self._recall(part, asked)
            return self._filled(part, pieces)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._beside(part, "failed").write_text(error.strerror or str(error))
            raise
        finally:
            lock.release()

    def drop(self, part: Part) -> None:
        """Forget the copy of a shard."""
        self._copy(part).unlink(missing_ok=True)

    def _filled(self, part: Part, pieces: Callable[[], Iterable[bytes]]) -> int:
        partial = self._beside(part, "partial")
        full: NoRoomError | None = None
        try:
            for spare in (0, part.bytes):
                try:
                    with _locally():
                        self._reserve(part, partial, spare=spare)
                    self._write(part, partial, pieces)
                    with _locally():
                        descriptor = os.open(partial, os.O_RDONLY)
                        partial.replace(self._copy(part))
                        self._beside(part, "failed").unlink(missing_ok=True)
                    return descriptor
                except NoRoomError as error:
                    full = full or error
            assert full is not None
            raise full
        finally:
            partial.unlink(missing_ok=True)

    def _write(self, part: Part, partial: Path, pieces: Callable[[], Iterable[bytes]]) -> None:
        for _ in range(self.TRIES):
            digest, length = hashlib.sha256(), 0
            with _locally():
                file = partial.open("r+b", buffering=0)
            try:
                for piece in pieces():
                    digest.update(piece)
                    length += len(piece)
                    if length > part.bytes:
                        break
                    with _locally():
                        _write_all(file.fileno(), piece)
                if length == part.bytes and digest.hexdigest() == part.sha256:
                    with _locally():
                        os.fsync(file.fileno())
                    return
            finally:
                file.close()
        got = f"SHA-256 {digest.hexdigest()[:12]}" if length == part.bytes else f"{length} bytes"
        wanted = part.sha256[:12] if length == part.bytes else f"{part.bytes}"
        raise OSError(errno.EIO, f"fetched with {got} instead of {wanted}, {self.TRIES} times")

    def _reserve(self, part: Part, partial: Path, *, spare: int) -> None:
        """Create the file that will hold a shard, after what was read least recently made room for it.

        Args:
            part: The shard.
            partial: The file.
            spare: Bytes to free in any case, since the disk was full though it did not look so.

        Raises:
            NoRoomError: The bound, or the disk, is too small for this shard alone, or for it and those being fetched.
        """
        with FileLock(self.folder / "room.lock", timeout=self.WAIT):
            self._remove_stale(partial)
            copies = sorted((stat.st_mtime_ns, stat.st_size, path) for path, stat in self._files("*.tar"))
            used = sum(size for _, size, _ in copies) + sum(stat.st_size for _, stat in self._files("*.partial"))
            freed = 0
            while used + part.bytes > self.most or freed < spare or shutil.disk_usage(self.folder).free < part.bytes:
                if not copies:
                    raise NoRoomError(f"no room for {part.bytes} bytes in {self.folder}")
                _, size, path = copies.pop(0)
                path.unlink(missing_ok=True)
                used, freed = used - size, freed + size
            with partial.open("wb") as file:
                file.truncate(part.bytes)  # others count it

    def _remove_stale(self, own: Path) -> None:
        """Remove what processes left behind that died while they fetched: nobody holds its lock."""
        own.unlink(missing_ok=True)
        for partial in self.folder.glob("*.partial"):
            with contextlib.suppress(Timeout), FileLock(partial.with_suffix(".lock"), timeout=0):
                partial.unlink(missing_ok=True)

    def _recall(self, part: Part, asked: float) -> None:
        """Raise what another process found that fetched a shard while this one waited for it."""
        with contextlib.suppress(FileNotFoundError):
            failed = self._beside(part, "failed")
            if failed.stat().st_mtime >= asked:
                raise OSError(errno.EIO, failed.read_text())

    def _files(self, pattern: str) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                yield path, path.stat()

    def _copy(self, part: Part) -> Path:
        return self._beside(part, "tar")

    def _beside(self, part: Part, suffix: str) -> Path:
        assert re.fullmatch("[0-9a-f]{64}", part.sha256), part  # `pin` looked at it
        return self.folder / f"{part.sha256}.{suffix}"


@contextmanager
def _locally() -> Iterator[None]:
    """Tell what goes wrong with the folder from what goes wrong with the shard."""
    try:
        yield
    except OSError as error:
        raise NoRoomError(error.strerror or str(error)) from error


def _write_all(descriptor: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
