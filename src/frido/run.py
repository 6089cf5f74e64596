"""The door of `python -m frido.run`: compose, check, freeze, then hand over to the worker."""

import sys
from collections.abc import Sequence

from frido.cli import match, scoring
from frido.cli.again import again, asked_for
from frido.cli.errors import door
from frido.cli.launch import run


@door
def main(argv: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if scoring.asked_for(arguments):
        return scoring.score(arguments)
    if match.asked_for(arguments):
        return match.run(arguments)
    return again(arguments) if asked_for(arguments) else run(arguments)


if __name__ == "__main__":
    sys.exit(main())
