"""Word from a worker that ended for a reason: torchrun starts all workers again when one fails, and does not know why.

Bad input would only be refused again, and who was asked to stop is to stop. So the worker leaves its exit code in
`.ended.json` of the run directory; one that is started again by the same torchrun leaves with that code at once.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from frido.cli.errors import BAD_INPUT
from frido.contracts import atomic
from frido.contracts.errors import FridoError

NAME = ".ended.json"


@contextmanager
def told(directory: Path) -> Iterator[None]:
    """Leave word in `directory` when the block ends by a refusal or by `SystemExit`."""
    try:
        yield
    except FridoError:
        _tell(directory, BAD_INPUT)
        raise
    except SystemExit as asked:
        _tell(directory, asked.code)
        raise


def code(directory: Path, *, torchrun: str) -> int | None:
    """Return the exit code that a worker of the torchrun with this id left, if one did."""
    try:
        word = json.loads((directory / NAME).read_text())
    except (OSError, ValueError):
        return None
    return word["code"] if word["torchrun"] == torchrun else None


def before_a_restart(directory: Path) -> int | None:
    """Return the exit code that a worker left before a torchrun from outside started all of them again, if it did.

    The id of such a torchrun is anybody's choice, so what was left under it may be of an earlier command. Restarts are
    counted, though not on every machine; a worker that is not told of one is refused, or stops, once more.
    """
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0
    return code(directory, torchrun=os.environ["TORCHELASTIC_RUN_ID"]) if again else None


def _tell(directory: Path, number: object) -> None:
    if "TORCHELASTIC_RUN_ID" in os.environ:
        with suppress(OSError):  # a full disk, perhaps the reason itself
            atomic.write_json(directory / NAME, {"torchrun": os.environ["TORCHELASTIC_RUN_ID"], "code": number})
