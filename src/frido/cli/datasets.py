"""What can be done with a packed dataset: `python -m frido.pack verify`, `stats`, `index`."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frido.cli.build import build
from frido.cli.compose import compose
from frido.cli.pack_summary import summary
from frido.contracts.errors import FridoError

DAMAGED = 1
"""Exit code of `verify` for a dataset that is not as packed."""

SHOWN_PROBLEMS = 200


def verify(arguments: Sequence[str]) -> int:
    """Read every byte again and list what is not as packed."""
    parser = _parser("verify", "Read every byte of a packed dataset again: hashes, names, places, words, images.")
    parser.epilog = "Exit codes: 0 whole, 1 damaged (every problem is listed), 2 no dataset."
    folder, asked = _asked(parser, arguments)

    from frido.data.packing import verify as verifying

    problems = verifying.verify(folder, processes_=_processes(asked), quiet=False)
    for line in list(verifying.described(problems))[:SHOWN_PROBLEMS]:
        print(line)
    if len(problems) > SHOWN_PROBLEMS:
        print(f"... and {len(problems) - SHOWN_PROBLEMS:,} more")
    print(f"{folder}: {f'{len(problems):,} problems' if problems else 'as packed, every byte'}")
    return DAMAGED if problems else 0


def stats(arguments: Sequence[str]) -> int:
    """Print what a dataset holds and draw it as a page."""
    parser = _parser(
        "stats", "Print what a packed dataset holds, and draw it: histograms, and scenes with their boxes."
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page, one HTML file; by default DIR/stats.html")
    parser.add_argument("--scenes", type=int, default=12, help="scenes of each split drawn on it (%(default)s)")
    folder, asked = _asked(parser, arguments)
    if asked.scenes < 0:
        raise FridoError("--scenes", got=asked.scenes, wanted="0 or more", do="leave it out for 12")

    from frido.data.packing import statistics

    found = statistics.read(folder, processes_=_processes(asked), quiet=False)
    print("\n".join(_told(found)))
    from frido.report import dataset

    print(f"wrote {dataset.write(folder, found, asked.out or folder / 'stats.html', scenes=asked.scenes)}")
    return 0


def index(arguments: Sequence[str]) -> int:
    """Make a dataset of the tars in a folder."""
    words = (
        "Make a dataset of WebDataset tars that any program wrote; they stay as they are. Beside each comes an index,"
        " and dataset.json for all. Images are jpg, jpeg, png or webp; what is known of one is a json as frido.pack"
        " writes it, or cls (one class) and txt, caption or the json's caption. Tars named train-*, val-*, test-* are"
        " these splits, all others train."
    )
    parser = _parser("index", words)
    parser.add_argument("--overwrite", action="store_true", help="index again what was indexed before")
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="format.KEY=VALUE",
        help="run, block, tokenizer_size, max_unreadable of the format",
    )
    folder, asked = _asked(parser, arguments)
    given = [f"format.processes={_processes(asked)}", *asked.settings]
    packing = build(compose("pack", ["source=scenes", "out=-", *given])["format"])

    from frido.data.packing import indexing

    spec = indexing.write(packing, folder, overwrite=asked.overwrite)
    print("\n".join(summary(folder, spec)))
    return 0


def _parser(name: str, words: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m frido.pack {name}", description=words)
    parser.add_argument("folder", type=Path, metavar="DIR", help="the dataset's folder")
    parser.add_argument("--processes", type=int, default=0, help="that read; 0 for all cores")
    return parser


def _asked(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> tuple[Path, argparse.Namespace]:
    """Return the folder and all that was asked for."""
    asked = parser.parse_intermixed_args(arguments)
    if asked.processes < 0:
        raise FridoError("--processes", got=asked.processes, wanted="0 or more", do="leave it out for all cores")
    if not asked.folder.is_dir():
        raise FridoError(str(asked.folder), got="no such folder", wanted="the folder of a dataset", do="check the path")
    return asked.folder, asked


def _processes(asked: argparse.Namespace) -> int:
    return asked.processes or len(os.sched_getaffinity(0))


def _told(found: Any) -> list[str]:
    """Return lines on what a dataset holds."""
    lines = [f"images: {_listed(found.scenes)}"]
    for kind in ("categories", "attributes", "predicates"):
        counts = getattr(found, kind)
        if counts:
            most = dict(counts.most_common(8))
            more = f", and {len(counts) - 8:,} more" if len(counts) > 8 else ""
            lines.append(f"{kind} ({len(counts):,}): {_listed(most)}{more}")
    for kind in ("objects", "relationships", "captions"):
        lines.append(f"{kind} in an image: {_spread(getattr(found, kind))}")
    return [*lines, f"shorter side of images, px: {_spread(found.sides)}"]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def _spread(counts: Mapping[int, int]) -> str:
    """Return least, median and greatest of counted values."""
    whole = sum(counts.values())
    seen, middle = 0, 0
    for value in sorted(counts):
        seen += counts[value]
        if 2 * seen >= whole:
            middle = value
            break
    return f"{min(counts):,} to {max(counts):,}, median {middle:,}"
