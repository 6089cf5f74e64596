"""Being asked to stop: finish the step, save, leave with a code that says how to go on.

| signal | comes from | exit code |
|---|---|---|
| SIGTERM, SIGUSR1 | a scheduler that wants the machine back | 75: resumable, the same command continues |
| SIGINT (Ctrl-C) | a person | 130, saved all the same; a second one stops at once, unsaved |
"""

import signal
import threading
from types import FrameType, TracebackType

RESUMABLE = 75  # EX_TEMPFAIL of BSD's sysexits
INTERRUPTED = 130
CODES = {signal.SIGTERM: RESUMABLE, signal.SIGUSR1: RESUMABLE, signal.SIGINT: INTERRUPTED}


class Stopped(SystemExit):
    """A training stopped on request with its state saved; `code` is the process's exit code.

    Args:
        code: `RESUMABLE` or `INTERRUPTED`.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)


class Signals:
    """While entered, notes the exit code that the signals received so far ask for (0: none) in `code`.

    A process that was asked to stop is leaving from then on: schedulers repeat themselves, and a signal on the way out
    would end it with another code than the one that says what was saved.
    """

    def __init__(self) -> None:
        self.code = 0

    def __enter__(self) -> "Signals":
        self._before = {}
        if threading.current_thread() is threading.main_thread():  # only there does Python deliver signals
            self._before = {number: signal.signal(number, self._note) for number in CODES}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self.code and number != signal.SIGINT else handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.code == INTERRUPTED:
            raise KeyboardInterrupt
        self.code = CODES[signal.Signals(number)]
