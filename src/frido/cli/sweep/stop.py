"""A sweep that is asked to stop starts nothing more and lets its jobs save."""

import signal
from types import FrameType

from frido.cli.errors import INTERRUPTED
from frido.cli.sweep.status import RESUMABLE

CODES = {signal.SIGTERM: RESUMABLE, signal.SIGHUP: RESUMABLE, signal.SIGINT: INTERRUPTED}


class Stop:
    """A context in which the first request to stop is noted as `code`, and a second Ctrl-C is a KeyboardInterrupt."""

    def __init__(self) -> None:
        self.code = 0

    def __enter__(self) -> "Stop":
        self._before = {number: signal.signal(number, self._note) for number in CODES}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.code:
            raise KeyboardInterrupt
        self.code = CODES[signal.Signals(number)]
