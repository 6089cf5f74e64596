"""The same work on many shards, in several processes, under a bar. No torch."""

import fcntl
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from frido.contracts.errors import FridoError

Advance = Callable[[int], None]
Job = TypeVar("Job")
Result = TypeVar("Result")
Work = Callable[[Any, Job, Advance], Result]
"""`work(shared, job, advance)`: a function of a module, since other processes have to find it."""


@contextmanager
def bar(label: str, total: int, *, unit: str, done: int, quiet: bool) -> Iterator[Advance]:
    """Show on stderr how many of `total` are dealt with; yield what to call with a number of further ones."""
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task(label, total=total, completed=done)
        yield lambda count: progress.advance(task, count)


def results(
    work: Work[Job, Result],
    shared: Any,
    jobs: Sequence[Job],
    *,
    processes: int,
    advance: Advance,
    presence: Path | None = None,
) -> Iterator[tuple[int, Result]]:
    """Yield the number and the result of every job, as they finish.

    Args:
        work: What to do.
        shared: Its first argument, sent to every process once.
        jobs: Its second argument.
        processes: Most of them; one means this process itself.
        advance: Told how many scenes, or whatever `work` counts, are dealt with.
        presence: A file that every other process holds a shared lock on while it lives.

    Raises:
        FridoError: A process died. Exceptions of `work` come as they are; jobs that had not begun are not begun.
    """
    if min(processes, len(jobs)) <= 1:
        for number, job in enumerate(jobs):
            yield number, work(shared, job, advance)
        return
    # spawn: a fork of a process that already runs torch's threads may hang
    context = multiprocessing.get_context("spawn")
    done = context.Value("q", 0)
    with ProcessPoolExecutor(
        min(processes, len(jobs)), mp_context=context, initializer=_start, initargs=(work, shared, done, presence)
    ) as pool:
        numbers: dict[Future[Result], int] = {pool.submit(_do, job): number for number, job in enumerate(jobs)}
        waiting, shown = set(numbers), 0
        try:
            while waiting:
                finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                shown, before = done.value, shown
                advance(shown - before)
                for future in sorted(finished, key=numbers.__getitem__):
                    yield numbers[future], future.result()
        except BrokenProcessPool as error:
            raise FridoError(
                "processes",
                got="one ended before its work was done",
                wanted="processes that live: memory, and a program that can be imported",
                do="set processes to 1 (or put the call under `if __name__ == '__main__':`)",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def in_order(
    work: Work[Job, Result], shared: Any, jobs: Sequence[Job], *, processes: int, advance: Advance
) -> list[Result]:
    """Return the results of all jobs in the order of these; for the arguments see `results`."""
    found = dict(results(work, shared, jobs, processes=processes, advance=advance))
    return [found[number] for number in range(len(jobs))]


_process: dict[str, Any] = {}


def _start(work: Any, shared: Any, done: Any, presence: Path | None) -> None:
    """Keep what a process needs for every job."""
    _process.update(work=work, shared=shared, done=done)
    if presence is not None:
        _process["presence"] = presence.open("a")
        fcntl.flock(_process["presence"], fcntl.LOCK_SH)
    threading.Thread(target=_follow, args=(multiprocessing.parent_process(),), daemon=True).start()


def _follow(parent: Any) -> None:
    """End with the parent, however it ended: an orphan would go on writing where the next command does."""
    parent.join()
    os._exit(1)


def _do(job: Any) -> Any:
    return _process["work"](_process["shared"], job, _advance)


def _advance(count: int) -> None:
    done = _process["done"]
    with done.get_lock():
        done.value += count
