"""How many samples a training may lose: counted over all ranks, each named in a file."""

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from frido.contracts.errors import FridoError
from frido.contracts.lost import Lost
from frido.engine import distributed
from frido.tracking.jsonl import LOST, Lines

log = logging.getLogger(__name__)

NAMED = 5
"""Samples that an error or a warning names; the file names all."""


class LossBudget:
    """The samples that could not be read and were replaced, each once however often it was asked for.

    Args:
        directory: Takes `lost.jsonl`, a line for each.
        most: Samples that may be lost.
    """

    def __init__(self, *, directory: Path, most: int) -> None:
        self.file, self.most = directory / LOST, most
        self.lines = Lines(self.file)
        self._known: dict[tuple[str, str], Lost] = {}
        self._news: dict[tuple[str, str], Lost] = {}

    @property
    def count(self) -> int:
        """Samples lost so far, over all ranks, as of the last `settle`."""
        return len(self._known)

    @property
    def news(self) -> bool:
        """Whether this rank lost a sample since the last `settle`."""
        return bool(self._news)

    def note(self, lost: Iterable[Lost]) -> None:
        """Take down what this rank lost."""
        self._news |= {(one.shard, one.key): one for one in lost if (one.shard, one.key) not in self._known}

    def settle(self, images_seen: int) -> None:
        """Tell every rank what each has lost; call it on all of them.

        Raises:
            FridoError: On every rank: more is lost than may be.
        """
        everywhere = {key: one for news in distributed.from_all(self._news) for key, one in news.items()}
        new = {key: one for key, one in sorted(everywhere.items()) if key not in self._known}
        self._known |= new
        self._news = {}
        if distributed.is_main() and new:
            lines = [json.dumps({"images": images_seen} | one._asdict()) + "\n" for one in new.values()]
            self.lines.append("".join(lines))
        check(list(self._known.values()), most=self.most, named=self.file)
        if distributed.is_main() and new:
            told = "; ".join(said(list(new.values())))
            log.warning("%d samples of at most %d could not be read and were replaced: %s", self.count, self.most, told)

    def restore(self) -> None:
        """Know what the file names, after it was cut back to a checkpoint.

        Raises:
            FridoError: It names more than may be lost by now.
        """
        lines = self.file.read_text().splitlines() if distributed.is_main() and self.file.exists() else []
        told = distributed.from_main([json.loads(line) for line in lines])
        self._known = {(one["shard"], one["key"]): Lost(one["shard"], one["key"], one["reason"]) for one in told}
        check(list(self._known.values()), most=self.most, named=self.file)


def check(lost: Sequence[Lost], *, most: int, named: Path | None = None) -> None:
    """Refuse that more samples are lost than may be.

    Args:
        lost: All of them, the latest last.
        most: So many may be.
        named: The file that names them, if there is one.

    Raises:
        FridoError: They are more.
    """
    if len(lost) > most:
        others = f" (all are named in {named})" if named else ""
        raise FridoError(
            f"samples that cannot be read: {len(lost)}",
            got="\n          ".join(said(lost)),
            wanted=f"at most data.max_loss={most}",
            do=f"pack or copy the dataset again; or let others replace them: data.max_loss={len(lost)}{others}",
        )


def said(lost: Sequence[Lost]) -> list[str]:
    """Return the latest of some lost samples in words, and how many more there are."""
    words = [f"{one.shard}, key {one.key}: {one.reason}" for one in lost[-NAMED:]]
    return [*words, f"and {len(lost) - NAMED} more"] if len(lost) > NAMED else words
