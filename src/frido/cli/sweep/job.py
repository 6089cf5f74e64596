"""One job of a sweep: `python -m frido.cli.sweep.job RUN_DIR OVERRIDE...`, a process of its own.

It owns the run for as long as it lives, so that nobody else works on it, and notes how it ended. It needs no launcher:
one that is killed leaves it at work, and the next one finds it there.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from frido.cli import launch
from frido.cli.errors import door
from frido.cli.locks import hold
from frido.cli.sweep import record
from frido.cli.sweep.status import claim
from frido.contracts.errors import FridoError

TAKEN = 3
"""Exit code of a job that another process was at work on already."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; return its exit code."""
    directory, *overrides = sys.argv[1:] if argv is None else argv
    path = Path(directory)
    try:
        with hold(claim(path), wait=False):
            _into(record.begin(path, ["python", "-m", "frido.run", *overrides]))
            code = _ended(overrides)
            record.end(path, code)
            return code
    except FridoError as taken:
        print(taken, file=sys.stderr)
        return TAKEN


def _ended(overrides: Sequence[str]) -> int:
    """Return the exit code of the run, whatever way it ends."""
    try:
        return door(launch.run)(overrides)
    except SystemExit as asked:
        return asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _into(log: Path) -> None:
    """Send what this process and its children say to a file."""
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)


if __name__ == "__main__":
    sys.exit(main())
