"""The loop of a sweep: start what is not finished, wait for all of it, whoever started it."""

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping

from frido.cli.errors import BAD_INPUT
from frido.cli.sweep.jobs import Job
from frido.cli.sweep.status import Status
from frido.cli.sweep.stop import Stop
from frido.cli.sweep.study import Study

TO_DO = (Status.WAITING, Status.CUT_OFF, Status.FAILED)


class Starter(ABC):
    """Starts jobs somewhere."""

    poll_seconds: float

    @abstractmethod
    def room(self) -> bool:
        """Return whether one more job may be started."""

    @abstractmethod
    def start(self, job: Job) -> None:
        """Start `job`, and return at once."""

    @abstractmethod
    def collect(self) -> dict[Job, int | None]:
        """Return the jobs started here that have ended since the last call, with their exit codes where they are known.

        Those that turned out to be somebody else's already are left out.
        """

    @abstractmethod
    def busy(self) -> set[Job]:
        """Return the jobs started here that have not ended, as far as is known."""

    @abstractmethod
    def ask_to_stop(self) -> None:
        """Ask all jobs started here to save and leave."""

    @abstractmethod
    def kill(self) -> None:
        """End them without asking."""


def run(study: Study, starter: Starter, *, retries: int, show: Callable[[Mapping[Job, Status]], None]) -> int:
    """Bring every job of a study to its end; return 0, 1 where some failed, or the code of a request to stop.

    Args:
        study: The jobs.
        starter: Where they run.
        retries: Times that a job which failed or was cut off is started again.
        show: Is told what the jobs are doing.
    """
    ends: Counter[Job] = Counter()
    with Stop() as stop:
        try:
            while True:
                for job, code in starter.collect().items():
                    # Bad input stays bad, however often it is tried.
                    ends[job] += retries + 1 if code == BAD_INPUT else 1
                found = study.look()
                show(found)
                to_do = [job for job in study.jobs if found[job] in TO_DO and ends[job] <= retries]
                to_do = [job for job in to_do if job not in starter.busy()]
                if stop.code:
                    starter.ask_to_stop()
                elif to_do and starter.room():
                    starter.start(to_do[0])
                    continue
                others = Status.RUNNING in found.values() and not stop.code
                if not starter.busy() and not others and (stop.code or not to_do):
                    return stop.code or int(any(known in TO_DO for known in found.values()))
                time.sleep(starter.poll_seconds)
        except BaseException:
            starter.kill()
            raise
