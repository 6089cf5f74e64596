"""The door of `python -m frido.pack`: a raw dataset in, shards out."""

import sys
from collections.abc import Sequence

from frido.cli.errors import door
from frido.cli.pack import pack


@door
def main(argv: Sequence[str] | None = None) -> int:
    """Pack what the arguments ask for; return the exit code."""
    return pack(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
