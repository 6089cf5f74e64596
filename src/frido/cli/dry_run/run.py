"""The dry run: every part is looked at, what is wrong is listed, nothing is left behind."""

import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frido.cli.beginning import check_there
from frido.contracts.errors import FridoError

if TYPE_CHECKING:
    from frido.cli.dry_run.dataset import Looked
    from frido.cli.dry_run.stage import Stage


def report(config: Mapping[str, Any]) -> int:
    """Print what a checked configuration would need; return 0, or 1 where it could not run."""
    if int(os.environ.get("RANK", 0)) > 0:
        return 0
    from frido.cli.dry_run import dataset, page

    problems: list[FridoError] = []
    stages: list[Stage] = []
    with _collected(problems):
        check_there(config)
    with _telling("looking at the data"):
        looked = dataset.look(config)
    problems += looked.problems
    with _collected(problems):
        stages += _first_stage(config, looked, problems)
    with _collected(problems):
        stages += _second_stage(config, looked)
    problems += _too_large(config, stages)
    page.show(config, looked, stages, problems)
    return 1 if problems else 0


def _first_stage(config: Mapping[str, Any], looked: "Looked", problems: list[FridoError]) -> "list[Stage]":
    """Return the training of the first stage, unless there is nothing to train.

    Where its perceptual network is not there, it is counted without, and `problems` say so.
    """
    from frido.cli.build import build
    from frido.cli.dry_run import stage
    from frido.engine.counting.without_values import WithoutWeights

    node, loss = config["first_stage"], config["first_stage"]["loss"]
    with WithoutWeights(), _telling("building the autoencoder"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*no-op")  # weights from a file: only their shapes are looked at
        autoencoder, note = _autoencoder(config), ""
        try:
            task = build(node, autoencoder=autoencoder)
        except FridoError as error:
            if not loss.get("perceptual"):
                raise
            problems.append(error)
            task = build({**node, "loss": {**loss, "perceptual": None}}, autoencoder=autoencoder)
            note = "counted without its perceptual network"
    if not config["training"]["autoencoder"]["images"] or not any(True for _ in task.autoencoder.parameters()):
        return []
    training = build(config["training"]["autoencoder"])
    with _telling("counting the training of the autoencoder"):
        return [stage.of_first(config, task, training, looked.dataset.reading, looked.known, note=note)]


def _second_stage(config: Mapping[str, Any], looked: "Looked") -> "list[Stage]":
    """Return the training of the second stage, unless there is nothing to train."""
    from frido.cli.build import build
    from frido.cli.dry_run import stage
    from frido.cli.second_stage import build_task
    from frido.engine.counting.without_values import WithoutWeights

    with WithoutWeights(), _telling("building the denoiser"):
        autoencoder = _autoencoder(config)
        task = build_task(config, autoencoder=autoencoder, vocabulary=looked.known.vocabulary)
    task.check_sampling(*(build(config["diffusion"][part]) for part in ("sampler", "guidance")))
    if not config["training"]["denoiser"]["images"]:
        return []
    training = build(config["training"]["denoiser"])
    with _telling("counting the training of the denoiser"):
        return [stage.of_second(config, task, autoencoder, training, looked.dataset, looked.known)]


def _autoencoder(config: Mapping[str, Any]) -> Any:
    from frido.cli.build import build
    from frido.cli.session import untrained

    return build(untrained(config["autoencoder"]))


@contextmanager
def _collected(problems: list[FridoError]) -> Iterator[None]:
    """Note what is refused inside, and go on."""
    try:
        yield
    except FridoError as error:
        problems.append(error)


def _too_large(config: Mapping[str, Any], stages: "list[Stage]") -> Iterator[FridoError]:
    """Yield what does not fit: onto the disk, into the memory of the device, where there is one."""
    import torch

    from frido.cli.dry_run import disk, page

    root = Path(config["run"]["root"])
    needed, free = sum(one.kept + one.snapshots + one.table for one in stages), disk.free(root)
    if needed > free:
        yield FridoError(
            f"run.root={root}",
            got=f"{page.size(free)} free on its disk",
            wanted=f"{page.size(needed)} for checkpoints, snapshots and latents",
            do="another run.root, a smaller training.STAGE.keep.last, or size.snapshot_every_images=null",
        )
    device = torch.device(config["hardware"]["device"])
    there = disk.memory_of_machine(device)
    processes = config["hardware"]["devices"] if device.type == "cpu" else 1
    for one in stages:
        takes = page.takes(one, device.type)
        if there is not None and takes * processes > there:
            yield FridoError(
                f"memory of the training of {one.name}",
                got=f"{page.size(there)} on this machine's {device.type}",
                wanted=f"{page.size(takes)} for each of {processes} processes" if processes > 1 else page.size(takes),
                do=page.advice(one, there // processes, device.type),
            )


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Show what is being done, to whoever watches."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(f"dry run: {what}") if sys.stderr.isatty() else nullcontext():
        yield
