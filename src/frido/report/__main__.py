"""Draw run directories as one self-contained page: `python -m frido.report RUN_DIR... --out report.html`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from frido.contracts.errors import FridoError


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page, print its path, return the exit code: 0, or 2 with a four-part message."""
    parser = argparse.ArgumentParser(prog="python -m frido.report", description=__doc__)
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN_DIR", help="a folder that frido.run made; several are compared"
    )
    parser.add_argument("--out", type=Path, help="the HTML file (one run: RUN_DIR/report.html)")
    parser.add_argument("--scenes", type=int, default=24, help="scenes shown of each set of samples (%(default)s)")
    arguments = parser.parse_args(argv)
    try:
        print(_write(arguments))
    except FridoError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _write(arguments: argparse.Namespace) -> Path:
    out = arguments.out
    if out is None:
        if len(arguments.runs) > 1:
            raise FridoError(
                "--out", got="nothing", wanted="an HTML file to write", do="Add, for example, --out comparison.html."
            )
        out = arguments.runs[0] / "report.html"
    if out.is_dir():
        raise FridoError(
            f"--out {out}", got="a folder", wanted="an HTML file", do=f"Write --out {out / 'report.html'}."
        )
    if arguments.scenes < 0:
        raise FridoError("--scenes", got=arguments.scenes, wanted="0 or more", do="Leave it out for 24.")
    from frido.report import page  # after --help has answered

    return page.write(arguments.runs, out, scenes=arguments.scenes)


if __name__ == "__main__":
    sys.exit(main())
