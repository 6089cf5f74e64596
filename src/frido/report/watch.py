"""A folder in which runs come and grow: which runs are there, and whether anything changed since."""

import hashlib
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from frido.contracts.errors import FridoError
from frido.report import files, study

NO_RUNS = ("stages", "prove_resume", "wandb")
"""Folders below `run.root` that hold no run directories."""
UNREAD = ("checkpoints", "snapshots", "averages", "not_finite", "codes", "wandb", "weights")
"""Folders of a run of which a page says at most how much is in them."""
FULL = ("generated", "real", "shown", "graphs")
"""Folders of many files, each written once: one that comes changes their number and the time of the folder."""
TEXTS = (".json", ".jsonl", ".yaml")
ASIDE = re.compile(r"\.\d+$")  # `<hash>.1`: what run.fresh=true set aside
PAUSE_SECONDS = 3.0
SHARE = 0.1  # of the time spent on drawing, at most: a training may run on the same machine


def places(root: Path) -> list[Path]:
    """Return the studies and the run directories in `root`, which may be one itself; sorted, studies first."""
    found = list(_below(root))
    return sorted(found, key=lambda place: (not study.is_study(place), str(place)))


def _below(folder: Path) -> Iterator[Path]:
    if study.is_study(folder) or (folder / "config.yaml").is_file():
        yield folder
        return
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False) and entry.name not in NO_RUNS and not ASIDE.search(entry.name):
            yield from _below(Path(entry.path))


def fingerprint(root: Path) -> str:
    """Return a word that changes with anything that a page of `root` shows."""
    told: list[str] = []
    for place in places(root):
        folders = [place]
        if study.is_study(place):
            folders += [job.directory for job in study.read(place).jobs]
        for folder in folders:
            told += _state(folder)
            link = files.read_json(folder / "stages.json", dict).get("autoencoder")
            told += _state(folder / str(link)) if link else []
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _state(folder: Path) -> Iterator[str]:
    for entry in _entries(folder):
        is_folder = entry.is_dir()
        if is_folder and entry.name in (*FULL, *UNREAD):
            written = entry.stat().st_mtime_ns if entry.name in FULL else 0
            yield f"{entry.path} {written} {len(_entries(Path(entry.path)))}"
        elif is_folder:
            yield from _state(Path(entry.path))
        elif entry.name.endswith((*TEXTS, ".png")):
            state = entry.stat()
            yield f"{entry.path} {state.st_mtime_ns} {state.st_size}"


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, but nothing hidden: that is not finished."""
    try:
        return sorted((e for e in os.scandir(folder) if not e.name.startswith(".")), key=lambda entry: entry.name)
    except OSError:  # gone, or not there yet
        return []


class Watch:
    """Draws a page anew when what it shows changed: seldom enough to leave the machine to others.

    Args:
        root: Looked through for runs and studies, also such as come later.
        draw: Draws the page of these places.
    """

    def __init__(self, *, root: Path, draw: Callable[[list[Path]], None]) -> None:
        self.root, self.draw = root, draw
        self.seen = ""
        self.problem = ""

    def look(self) -> float:
        """Draw the page if anything changed; return the seconds to wait before the next look.

        What cannot be drawn, as a file that is just being replaced, is told in `problem`, and tried again.
        """
        begun = time.monotonic()
        try:
            now = fingerprint(self.root)
            found = places(self.root)
            if found and now != self.seen:
                self.draw(found)
            self.seen, self.problem = now, ""
        except (FridoError, OSError) as error:
            self.problem = str(error)
        except Exception:  # a page that stops is worse than one that says what is wrong
            self.problem = traceback.format_exc(limit=-3)
        return max(PAUSE_SECONDS, (time.monotonic() - begun) * (1 / SHARE - 1))


def keep(watch: Watch) -> None:
    """Look until Ctrl-C, and tell of every problem that is new."""
    told = ""
    try:
        while True:
            pause = watch.look()
            if watch.problem not in ("", told):
                print(watch.problem, file=sys.stderr, flush=True)
            told = watch.problem
            time.sleep(pause)
    except KeyboardInterrupt:
        return
