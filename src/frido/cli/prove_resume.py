"""`stages=[prove_resume]`: a recipe, killed and continued, against the same recipe left in peace, bit for bit.

The parent of it all only starts, kills and compares; each part of it is a `python -m frido.run` of its own.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from frido.cli import provenance
from frido.cli.compose import compose
from frido.cli.locks import hold
from frido.cli.proof import differences, processes
from frido.cli.proof.short import HALF, TRAINED, half, shortened
from frido.cli.rundir import RunDirectory, run_hash
from frido.cli.schema import check
from frido.contracts import atomic
from frido.contracts.errors import FridoError

NAME, PROOF, LOG = "prove_resume", "proof.json", "log.txt"
QUIET, INTERRUPTED, DATA = "quiet", "interrupted", "data"
SAID_LINES = 12
DIFFERENT = 1
"""Exit code."""


def run(config: Mapping[str, Any], *, name: str, arguments: Sequence[str]) -> int:
    """Prove, or disprove, that `config` continues bit for bit; return the exit code.

    Both trainings have one dataset below `<run.root>/prove_resume/<hash>/`. What stays after a success is
    `proof.json`; after a failure everything does.

    Args:
        config: Resolved and checked.
        name: Of the recipe.
        arguments: Of the command, for `proof.json`.

    Raises:
        FridoError: It cannot be done here, or a training failed by itself.
    """
    _check(config)
    place = Path(config["run"]["root"]).resolve() / NAME / run_hash(config)
    tracking = compose("run", ["tracking=files"])["tracking"]
    shorts = {side: shortened(config, root=place / side, tracking=tracking) for side in (QUIET, INTERRUPTED)}
    trained = {stage: half(shorts[QUIET]["training"][stage]) for stage in TRAINED}
    trained = {stage: images for stage, images in trained.items() if images}
    if not trained:
        wanted = "a stage that trains: images for the autoencoder or the denoiser"
        raise FridoError(f"stages=[{NAME}]", got="nothing to train", wanted=wanted, do="size.images=30720")
    check(shorts[QUIET])
    with hold(place, wait=False), _asked_to_stop_is_an_exception():
        _emptied(place)
        directories = {side: _prepared(place, side, short, name) for side, short in shorts.items()}
        _say_what_comes(config, trained, place)
        start = time.monotonic()
        with _progress() as tell:
            tell("left in peace")
            _to_the_end(directories[QUIET])
            print(f"left in peace: {time.monotonic() - start:.0f} s; the other takes a little longer", flush=True)
            for stage, images in trained.items():
                tell(f"{stage}, up to its kill")
                _kill_at(directories[INTERRUPTED], stage, images, root=place / INTERRUPTED)
                print(f"{stage}: killed after its checkpoint at {images} images", flush=True)
            tell("continued to the end")
            _to_the_end(directories[INTERRUPTED])
        found = differences.compare(place / QUIET, place / INTERRUPTED)
        seconds = time.monotonic() - start
        if not any(row.folder.endswith("checkpoints") for row in found.rows):
            raise AssertionError(f"no checkpoints were compared in {place}")
        print(differences.table(found.rows))
        if found.differences:
            _tell(found.differences, trained, place)
            return DIFFERENT
        facts = provenance.collect(door="frido.run", arguments=arguments, hardware=config["hardware"])
        compared = [{"folder": row.folder, "files": row.files, "bytes": row.bytes} for row in found.rows]
        _emptied(place)
        proof = {"recipe": name, "killed_at_images": trained, "compared": compared, "seconds": round(seconds, 1)}
        atomic.write_json(place / PROOF, facts | proof)
    print(f"identical, bit for bit ({seconds:.0f} s): {place / PROOF}")
    return 0


def _check(config: Mapping[str, Any]) -> None:
    if config["stages"] != [NAME]:
        raise FridoError(
            "stages",
            got=f"[{', '.join(config['stages'])}]",
            wanted=f"{NAME} alone: it runs stages of its own, on a small copy of the recipe",
            do=f"stages=[{NAME}]",
        )
    hardware = config["hardware"]
    if hardware["nodes"] > 1 or hardware["slurm"] is not None or "RANK" in os.environ:
        raise FridoError(
            f"stages=[{NAME}]",
            got="several machines, Slurm, or processes started from outside",
            wanted="one command on one machine, which starts and kills processes of its own",
            do="hardware=ddp, typed without torchrun or srun",
        )


def _emptied(place: Path) -> None:
    """Remove what an earlier proof left."""
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(parents=True)


def _prepared(place: Path, side: str, short: Mapping[str, Any], name: str) -> RunDirectory:
    """Freeze a run that has its dataset in common with the other one."""
    directory = RunDirectory.planned(short, recipe=name)
    directory.freeze(short)
    shared = place / DATA
    shared.mkdir(exist_ok=True)
    stages = place / side / "stages"
    stages.mkdir()
    (stages / "data").symlink_to(shared)
    return directory


def _say_what_comes(config: Mapping[str, Any], trained: Mapping[str, int], place: Path) -> None:
    batches = " and ".join(f"{stage} on {2 * images} images" for stage, images in trained.items())
    ranks = config["hardware"]["devices"]
    print(
        f"{batches}, {2 * HALF} steps each, by {ranks} process{'es' if ranks > 1 else ''}: once left in peace, once "
        f"killed at half of each and continued.\n"
        f"That starts frido.run {2 + len(trained)} times: a minute at size=tiny, longer for larger models; packed data "
        f"with fixed crops is encoded twice, every image.\nAll in {place}",
        flush=True,
    )


def _command(directory: RunDirectory) -> list[str]:
    return [f"run={directory.path}", f"stages=[{','.join(directory.config['stages'])}]"]


def _to_the_end(directory: RunDirectory) -> None:
    log = directory.path / LOG
    with processes.started(_command(directory), log=log) as process:
        if process.wait() != 0:
            raise _failed(directory, process.returncode)


def _kill_at(directory: RunDirectory, stage: str, images: int, *, root: Path) -> None:
    """Run until the checkpoint of a stage at so many images is there, and kill."""
    folder = "stages/autoencoder/*" if stage == "autoencoder" else str(directory.path.relative_to(root))
    with processes.started(_command(directory), log=directory.path / LOG) as process:
        there = _there(root, f"{folder}/checkpoints/{images:012d}")
        if not processes.wait(process, until=there) or process.poll() is not None:
            raise _failed(directory, process.returncode)
    if _there(root, f"{folder}/checkpoints/{2 * images:012d}")():
        raise FridoError(
            f"stages=[{NAME}], stage {stage}",
            got="it was done before it could be killed",
            wanted="a training that takes longer for a few steps than killing it",
            do="type the command again, on a machine that does nothing else",
        )


def _there(root: Path, pattern: str) -> Callable[[], bool]:
    return lambda: next(root.glob(pattern), None) is not None


def _failed(directory: RunDirectory, code: int) -> FridoError:
    log = directory.path / LOG
    said = log.read_text(errors="replace").splitlines()[-SAID_LINES:]
    return FridoError(
        f"a small copy of the recipe, in {directory.path}",
        got="\n          ".join([f"exit code {code}; the end of {log} is", *said]),
        wanted="stages that run to their end",
        do=f"python -m frido.run {' '.join(_command(directory))}",
    )


def _tell(found: Mapping[str, Sequence[str]], trained: Mapping[str, int], place: Path) -> None:
    for name, told in found.items():
        print("\n    ".join([f"differs: {name}", *told]))
    halves = {f"{images:012d}" for images in trained.values()}
    early = any(not halves.isdisjoint(Path(name).parts) for name in found)
    print(
        "NOT identical. "
        + ("A difference is there before a kill: the recipe does not repeat itself. " if early else "")
        + f"{len(found)} files differ between {place / QUIET} and {place / INTERRUPTED}; both are kept"
    )


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show on terminals what goes on and for how long; yield what to tell it with."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("")
        yield lambda description: progress.update(task, description=description)


@contextmanager
def _asked_to_stop_is_an_exception() -> Iterator[None]:
    """Let SIGTERM end the block like Ctrl-C does: what was started is killed with us."""

    def leave(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
