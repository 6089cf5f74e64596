"""The door of `python -m frido.convert`: official weights in, ours out."""

import sys
from collections.abc import Sequence

from frido.cli.convert import convert
from frido.cli.errors import door


@door
def main(argv: Sequence[str] | None = None) -> int:
    """Convert what the arguments ask for; return the exit code."""
    return convert(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
