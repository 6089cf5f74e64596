"""A tracker that a training can do without."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from frido.contracts.errors import FridoError
from frido.contracts.tracker import Cell, Tracker

log = logging.getLogger(__name__)


class DispensableTracker(Tracker):
    """Passes everything on to the tracker that `make` returns, until that fails: then it warns once and is silent.

    A service on this machine can die, and a network be gone for a day; neither may end what took a week. Only what
    the user asked for wrongly is told (`FridoError`).

    Args:
        name: Of the other tracker, for the warning.
        make: Opens it.
    """

    def __init__(self, *, name: str, make: Callable[[], Tracker]) -> None:
        self.name = name
        self.tracker: Tracker | None = None
        self.tracker = self._try(make)

    def log(self, values: Mapping[str, float], *, images: int) -> None:
        if self.tracker:
            self._try(self.tracker.log, values, images=images)

    def picture(self, name: str, path: Path, *, images: int) -> None:
        if self.tracker:
            self._try(self.tracker.picture, name, path, images=images)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, images: int) -> None:
        if self.tracker:
            self._try(self.tracker.table, name, columns, rows, images=images)

    def close(self) -> None:
        if self.tracker:
            self._try(self.tracker.close)

    def _try(self, call: Callable[..., Any], *values: Any, **named: Any) -> Any:
        try:
            return call(*values, **named)
        except FridoError:
            raise
        except Exception as error:
            log.warning(
                "%s failed (%s: %s): this stage goes on without it, and is tracked in its files alone",
                *(self.name, type(error).__name__, error),
            )
            broken, self.tracker = self.tracker, None
            if broken and call != broken.close:
                with suppress(Exception):
                    broken.close()
        return None
