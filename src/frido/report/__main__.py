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
        "runs",
        nargs="*",
        type=Path,
        metavar="RUN_DIR",
        help="a run directory, or the folder of a study; several are compared",
    )
    parser.add_argument(
        "--watch", type=Path, metavar="DIR", help="all runs below DIR, also later ones: drawn anew when they change"
    )
    parser.add_argument("--serve", action="store_true", help="with --watch: show the page at http://127.0.0.1:PORT")
    parser.add_argument("--port", type=int, default=8125, help="of --serve; 0 takes a free one (%(default)s)")
    parser.add_argument("--out", type=Path, help="the HTML file (one run: RUN_DIR/report.html)")
    parser.add_argument(
        "--results", type=Path, metavar="FILE.json", help="of one study: numbers, verdicts and, beside, their figure"
    )
    parser.add_argument("--scenes", type=int, default=24, help="scenes shown of each set of samples (%(default)s)")
    arguments = parser.parse_args(argv)
    try:
        if arguments.watch or arguments.serve:
            _keep(arguments)
        elif arguments.results:
            print(_results(arguments))
        else:
            print(_write(arguments))
    except FridoError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _keep(arguments: argparse.Namespace) -> None:
    """Draw the page whenever something changes, into a file or for browsers, until Ctrl-C."""
    if arguments.watch is None or arguments.runs or (arguments.serve and arguments.out):
        got = " ".join(map(str, arguments.runs)) or ("--serve and --out" if arguments.watch else "--serve alone")
        raise FridoError("--watch", got=got, wanted="--watch DIR [--serve | --out FILE]", do="See --help.")
    if not arguments.watch.is_dir():
        raise FridoError(
            f"--watch {arguments.watch}", got="no such folder", wanted="a folder of runs", do="--watch runs"
        )
    _check_scenes(arguments.scenes)
    if arguments.serve:
        from frido.report import serve  # after --help has answered

        return serve.serve(arguments.watch, port=arguments.port, scenes=arguments.scenes)
    out = arguments.out or arguments.watch / "report.html"
    _check_file(out)
    from frido.report import page, watch

    def draw(places: list[Path]) -> None:
        print(page.write(places, out, scenes=arguments.scenes), flush=True)

    watch.keep(watch.Watch(root=arguments.watch, draw=draw))


def _results(arguments: argparse.Namespace) -> str:
    """Write what one study found, and its figure as `.svg`; return the verdicts as a table in Markdown."""
    if len(arguments.runs) != 1 or arguments.out or arguments.results.suffix != ".json":
        got = " ".join(map(str, [*arguments.runs, "--results", arguments.results]))
        raise FridoError("--results", got=got, wanted="runs/studies/NAME --results FILE.json", do="See --help.")
    from frido.report import findings

    return findings.write(arguments.runs[0], arguments.results)


def _write(arguments: argparse.Namespace) -> Path:
    out = arguments.out
    if not arguments.runs:
        raise FridoError("RUN_DIR", got="nothing", wanted="run directories, or --watch DIR", do="See --help.")
    if out is None:
        if len(arguments.runs) > 1:
            raise FridoError(
                "--out", got="nothing", wanted="an HTML file to write", do="Add, for example, --out comparison.html."
            )
        out = arguments.runs[0] / "report.html"
    _check_file(out)
    _check_scenes(arguments.scenes)
    from frido.report import page  # after --help has answered

    return page.write(arguments.runs, out, scenes=arguments.scenes)


def _check_file(out: Path) -> None:
    if out.is_dir():
        raise FridoError(
            f"--out {out}", got="a folder", wanted="an HTML file", do=f"Write --out {out / 'report.html'}."
        )


def _check_scenes(scenes: int) -> None:
    if scenes < 0:
        raise FridoError("--scenes", got=scenes, wanted="0 or more", do="Leave it out for 24.")


if __name__ == "__main__":
    sys.exit(main())
