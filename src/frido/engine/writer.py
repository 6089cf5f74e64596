"""Checkpoints, written while the training goes on."""

import logging
import math
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future
from copy import deepcopy
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, NamedTuple

from frido.contracts.errors import FridoError
from frido.engine import checkpoint
from frido.engine.checkpoint import Checkpoint
from frido.engine.copies import Copies
from frido.engine.keep import Keep

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0
"""A longer wait for the checkpoint before is told."""


class Unsaved(NamedTuple):
    """A copy of a training that is not on disk, and what kept it from there (empty: nothing so far)."""

    images_seen: int
    files: dict[str, dict[str, Any]]
    state: dict[str, Any]
    problem: str

    @property
    def megabytes(self) -> int:
        return math.ceil(sum(tensor.nbytes for tensors in self.files.values() for tensor in tensors.values()) / 1e6)


class Writer:
    """Writes the checkpoints of one directory, one at a time, in a thread of its own.

    The training waits only for a copy on the CPU (pinned, where its state is on a GPU). That copy is all the memory
    that checkpoints take: it is made at the first one and used again for each. What cannot be written, as on a full
    disk, is told at once and does not stop the training: the checkpoints before it stay, the next one is the next
    try, and the last one is tried again at the end.

    Used as a context it ends with what was given on disk, except after Ctrl-C, which is obeyed at once.

    Args:
        directory: Of the run or stage.
        keep: Which checkpoints stay.
    """

    def __init__(self, *, directory: Path, keep: Keep) -> None:
        self.directory, self.keep = directory, keep
        self.failures = 0
        self._copies = Copies()
        self._unsaved: Unsaved | None = None
        self._checkpoint = self._work = _done()

    def write(self, found: Checkpoint) -> None:
        """Begin to write `found` as it is now; wait for the one before it, if that is still being written."""
        start = time.perf_counter()
        self._checkpoint.result()
        waited = time.perf_counter() - start
        if waited > PATIENCE_SECONDS:
            log.warning(
                "the checkpoint after %d images waited %.1f s for the one before: they are due faster than this disk "
                "takes them; a larger checkpoint_every_images costs no time",
                found.images_seen,
                waited,
            )
        files = self._copies.take(found.files())
        self._unsaved = Unsaved(found.images_seen, files, deepcopy(found.state), problem="")
        self._checkpoint = self.submit(self._store)

    def submit(self, do: Callable[[], None]) -> Future[None]:
        """Call `do` when what was given before is on disk; return what to wait for."""
        before, self._work = self._work, Future()
        Thread(target=_fulfil, args=(self._work, before, do), name="writer", daemon=True).start()
        return self._work

    def settle(self) -> bool:
        """Wait until what was given is on disk, trying once more where it failed; return whether it is there."""
        self._work.result()
        if self._unsaved is not None:
            self._store()
        return self._unsaved is None

    def finish(self) -> None:
        """Wait until what was given is on disk.

        Raises:
            FridoError: It cannot be written.
        """
        if self.settle():
            return
        assert self._unsaved is not None
        images, problem, last = self._unsaved.images_seen, self._unsaved.problem, self._last
        raise FridoError(
            f"checkpoint {checkpoint.folder(self.directory, images)}",
            got=f"{problem}; {_free(self.directory)} free",
            wanted=f"a folder that can be written to, with room for {self._unsaved.megabytes} MB",
            do=f"Free {self._unsaved.megabytes} MB there; the same command continues from "
            + (f"the checkpoint after {last} images." if last else "the start: there is no checkpoint yet."),
        )

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        elif issubclass(kind, Exception):
            self.settle()

    @property
    def _last(self) -> int:
        """Images seen at the newest checkpoint on disk before the unsaved one; 0 where there is none."""
        assert self._unsaved is not None
        known = [int(path.name) for path in checkpoint.folders(self.directory)]
        return max((images for images in known if images < self._unsaved.images_seen), default=0)

    def _store(self) -> None:
        assert self._unsaved is not None
        images, files, state, _ = self._unsaved
        try:
            checkpoint.store(self.directory, images, files, state)
        except OSError as error:
            self.failures += 1
            self._unsaved = self._unsaved._replace(problem=str(error))
            log.error(
                "the checkpoint after %d images cannot be written to %s: %s (it takes %d MB, %s free). "
                "Until the next one can, a crash costs what was trained since image %d",
                images,
                self.directory,
                error,
                self._unsaved.megabytes,
                _free(self.directory),
                self._last,
            )
            return
        self._unsaved = None
        try:
            checkpoint.prune(self.directory, keep=self.keep, newest=images)
        except OSError as error:
            log.error("a checkpoint that is no longer needed cannot be removed: %s", error)


def _done() -> Future[None]:
    work: Future[None] = Future()
    work.set_result(None)
    return work


def _fulfil(work: Future[None], before: Future[None], do: Callable[[], None]) -> None:
    try:
        before.result()
        do()
    except BaseException as error:  # an error of ours: whoever waits gets it
        work.set_exception(error)
    else:
        work.set_result(None)


def _free(directory: Path) -> str:
    try:
        return f"{shutil.disk_usage(directory).free / 1e6:.0f} MB"
    except OSError:
        return "unknown MB"
