"""What a dry run says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from frido.cli.dry_run import disk
from frido.cli.dry_run.dataset import Looked
from frido.cli.dry_run.stage import Stage
from frido.contracts.errors import FridoError

GPUS = (24, 40, 80, 141)
"""GB, as they are sold."""
USABLE = 0.93
"""Share of a GPU that a training may take: allocators leave holes."""
DRIVER = {"cpu": 0, "cuda": 2**30}
"""Bytes that a device's libraries take in a process, assumed."""
WIDTH = 110


def show(config: Mapping[str, Any], looked: Looked, stages: Sequence[Stage], problems: Sequence[FridoError]) -> None:
    """Print all of it."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    hardware = config["hardware"]
    kind, world = hardware["device"], hardware["devices"] * hardware["nodes"]
    console.print(
        f"dry run for {world} {'process' if world == 1 else 'processes'} on {kind} "
        f"({hardware['nodes']} x {hardware['devices']}, {hardware['precision']}): nothing is written or trained"
    )
    console.print(f"data: {looked.known.note}", markup=False, soft_wrap=True)
    if looked.known.images is not None:
        console.print(f"      {looked.known.images} training images")
    if stages:
        console.print(_table(stages, kind))
        console.print(_disk(config, stages))
        console.print(_summary(stages, kind, world), soft_wrap=True)
    for number, problem in enumerate(problems, 1):
        console.print(f"{number}. {problem}", markup=False, soft_wrap=True)
    wrong = f"{len(problems)} thing{'s' if len(problems) > 1 else ''} wrong, above" if problems else "nothing wrong"
    console.print(f"dry run: {wrong}")


def size(count: int | float) -> str:
    """Return a number of bytes for people; 1 GB is 2^30 bytes."""
    return f"{count / 2**30:.2f} GB" if count >= 2**30 else f"{count / 2**20:.1f} MB"


def flops(count: int | float) -> str:
    """Return floating-point operations for people."""
    for letter, unit in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9)):
        if count >= unit:
            return f"{count / unit:.4g} {letter}FLOP"
    return f"{count / 1e6:.4g} MFLOP"


def takes(stage: Stage, kind: str) -> int:
    """Return the memory that one process takes at the configured micro-batch, its device's libraries included."""
    return stage.bytes_at(stage.micro) + DRIVER[kind]


def largest(stage: Stage, room: int | float, kind: str) -> int | None:
    """Return the largest micro-batch that a device of `room` bytes has memory for; `None` where none fits."""
    fitting = [micro for micro in stage.sizes if stage.bytes_at(micro) + DRIVER[kind] <= USABLE * room]
    return max(fitting, default=None)


def advice(stage: Stage, room: int | float, kind: str) -> str:
    """Return a setting with which a training fits into `room` bytes."""
    micro = largest(stage, room, kind)
    if micro is not None:
        return f"training.{stage.name}.micro_batch={micro}"
    return "a smaller model, denoiser.checkpointing=true, or a device with more memory"


def _table(stages: Sequence[Stage], kind: str) -> Table:
    table = Table(show_header=True, header_style="bold", title="training", title_justify="left")
    table.add_column("")
    for stage in stages:
        table.add_column(stage.name, justify="right")

    def row(name: str, value: Any, *, section: bool = False) -> None:
        table.add_row(name, *(value(stage) or "" for stage in stages), end_section=section)

    for name in dict.fromkeys(name for stage in stages for name in stage.parameters):
        row(f"parameters: {name}", lambda s, n=name: f"{s.parameters[n] / 1e6:.3f} M" if n in s.parameters else None)
    row("images", lambda s: f"{s.training.images:,}")
    row("batch = processes x passes x micro-batch", _split, section=True)
    for name in dict.fromkeys(cost.phase for stage in stages for cost in stage.phases):
        row(f"an image, {name}: forward", lambda s, n=name: _phase(s, n, lambda c: flops(c.forward)))
        row(f"an image, {name}: backward", lambda s, n=name: _phase(s, n, lambda c: flops(c.backward)))
    row("an image, encoding it", lambda s: flops(s.encoding) if s.encoding else None)
    row("the whole training", lambda s: flops(_whole(s)))
    row("drawing one image", lambda s: flops(s.drawing) if s.drawing else None, section=True)
    row("memory: weights", lambda s: size(s.standing.weights))
    row("memory: averages", lambda s: size(s.standing.averages) if s.standing.averages else None)
    row("memory: optimizer", lambda s: size(s.standing.optimizer))
    row("memory: exchange of gradients", lambda s: size(s.standing.exchange) if s.standing.exchange else None)
    row("memory: fixed networks", lambda s: size(s.others) if s.others else None)
    row("memory: a step (activations, gradients)", lambda s: size(max(line.at(s.micro) for line in s.lines.values())))
    row("  of it kept from forward to backward", lambda s: size(max(cost.held for cost in s.phases)))
    for name in dict.fromkeys(name for stage in stages for name in stage.moments):
        row(f"  or, at other moments: {name}", lambda s, n=name: size(s.moments[n]) if n in s.moments else None)
    if DRIVER[kind]:
        row("memory: the device's libraries, assumed", lambda s: size(DRIVER[kind]))
    row("memory of one process", lambda s: size(takes(s, kind)), section=True)
    for room in GPUS if kind == "cuda" else ():
        row(f"largest micro-batch on {room} GB", lambda s, r=room: _fits(s, r * 2**30, kind))
    return table


def _fits(stage: Stage, room: int | float, kind: str) -> str:
    found = largest(stage, room, kind)
    if found is not None:
        return str(found)
    step = max(line.at(min(stage.sizes)) for line in stage.lines.values())
    worst = max(stage.moments, key=lambda name: stage.moments[name])
    return f"none: {worst}" if stage.moments[worst] > step else "none"


def _disk(config: Mapping[str, Any], stages: Sequence[Stage]) -> Table:
    table = Table(show_header=True, header_style="bold", title="disk", title_justify="left")
    table.add_column("")
    for stage in stages:
        table.add_column(stage.name, justify="right")
    table.add_row("one checkpoint", *(size(stage.checkpoint) for stage in stages))
    table.add_row("all that are there at once", *(size(stage.kept) for stage in stages))
    table.add_row("snapshots of averages", *(size(stage.snapshots) if stage.snapshots else "" for stage in stages))
    table.add_row("latents", *(size(stage.table) if stage.table else "" for stage in stages))
    root = Path(config["run"]["root"])
    table.caption = f"{size(disk.free(root))} free for {root}"
    return table


def _summary(stages: Sequence[Stage], kind: str, world: int) -> str:
    parts = []
    for stage in stages:
        steps = sum(cost.forward + cost.backward for cost in stage.phases) + stage.encoding
        parts.append(
            f"{stage.name}: {sum(stage.parameters.values()) / 1e6:.1f} M parameters, {flops(steps)} an image, "
            f"{size(takes(stage, kind))} on each of {world}, checkpoints of {size(stage.checkpoint)}"
        )
        if stage.note:
            parts.append(f"{stage.name}: {stage.note}")
    return "\n".join(parts)


def _split(stage: Stage) -> str:
    training = stage.training
    return f"{training.batch} = {training.batch // stage.share} x {stage.share // stage.micro} x {stage.micro}"


def _phase(stage: Stage, name: str, value: Any) -> str | None:
    return next((value(cost) for cost in stage.phases if cost.phase == name), None)


def _whole(stage: Stage) -> float:
    return stage.training.images * (sum(cost.forward + cost.backward for cost in stage.phases) + stage.encoding)
