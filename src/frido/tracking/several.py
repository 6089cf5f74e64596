"""Several trackers as one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from frido.contracts.tracker import Cell, Tracker


class SeveralTrackers(Tracker):
    """Passes everything on to each of `trackers`, in order; with none of them it is silent.

    Args:
        trackers: The first one should be the one whose record counts.
    """

    def __init__(self, *, trackers: Sequence[Tracker]) -> None:
        self.trackers = list(trackers)

    def log(self, values: Mapping[str, float], *, images: int) -> None:
        for tracker in self.trackers:
            tracker.log(values, images=images)

    def picture(self, name: str, path: Path, *, images: int) -> None:
        for tracker in self.trackers:
            tracker.picture(name, path, images=images)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, images: int) -> None:
        for tracker in self.trackers:
            tracker.table(name, columns, rows, images=images)

    def close(self) -> None:
        for tracker in self.trackers:
            tracker.close()
