"""One training of a configuration, counted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from frido.cli.at_once import at_once
from frido.cli.dry_run import disk, sampling
from frido.cli.dry_run.dataset import Known, scenes
from frido.contracts.batch import Batch
from frido.contracts.phase import Phase
from frido.engine.counting import memory
from frido.engine.counting.cost import PhaseCost, of_call, of_step
from frido.engine.counting.memory import Line, Standing
from frido.engine.freezing import freeze
from frido.engine.training import Training


class Stage(NamedTuple):
    """What a training needs.

    `sizes` are the micro-batches that divide a process's share; `others` are bytes that it takes beside its own model
    (a fixed network), and `moments` the bytes at the worst moment of what is done between steps. `drawing` is the cost
    of an image in floating-point operations; `encoding` that of the latents of a training image, where they are made
    anew each time. `kept`, `snapshots` and `table` are bytes on disk. `note` says what is left out.
    """

    name: str
    parameters: dict[str, int]
    training: Training
    share: int
    micro: int
    phases: list[PhaseCost]
    standing: Standing
    lines: dict[str, Line]
    sizes: list[int]
    others: int
    moments: dict[str, int]
    encoding: float
    drawing: float | None
    checkpoint: int
    kept: int
    snapshots: int
    table: int
    note: str

    def bytes_at(self, micro: int) -> int:
        """Return the memory of one process's device, without what its driver takes."""
        own = max([line.at(micro) for line in self.lines.values()] + list(self.moments.values()))
        return sum(self.standing) + self.others + own


def of_first(
    config: Mapping[str, Any], task: Any, training: Training, reading: Any, known: Known, *, note: str
) -> Stage:
    """Return what the training of the first stage needs."""
    device = torch.device(config["hardware"]["device"])
    looked = _batch(config, reading, known, at_once(config), first=0)
    copy = memory.size_of(task.state_dict().values())
    moment = of_call(
        [task.autoencoder],
        lambda copies, _: copies[0].eval()(looked.images),
        precision="fp32",
        device=device,
    )
    parts = {"autoencoder": task.autoencoder, "discriminator": task.loss.opponent}
    return _stage(
        "autoencoder",
        config,
        model=task,
        phases=task.phases(),
        training=training,
        batch=lambda count, first: _batch(config, reading, known, count, first=first),
        cycle=1,
        parameters={name: _count(part) for name, part in parts.items() if part is not None},
        others=_fixed(task),
        moments={"looking at held-out images": moment.peak + copy},
        encoding=0.0,
        drawing=None,
        table=0,
        note=note,
    )


def of_second(
    config: Mapping[str, Any], task: Any, autoencoder: Any, training: Training, dataset: Any, known: Known
) -> Stage:
    """Return what the training of the second stage needs."""
    device, precision = torch.device(config["hardware"]["device"]), config["hardware"]["precision"]
    autoencoder = autoencoder.eval().requires_grad_(False)
    copy = memory.size_of(task.state_dict().values())

    def batch(count: int, first: int) -> Batch:
        images = _batch(config, dataset.reading, known, count, first=first)
        task.view.check(images)
        prepared: list[Any] = []

        def encode(copies: list[Any], _: object) -> None:
            own, view = copies
            prepared.append((own.encode(images.images), view.prepare(images, encode=own.encode)))

        encoded = of_call([autoencoder, task.view], encode, precision=precision, device=device)
        costs[count] = encoded
        pyramid, view = prepared[0]
        latents = tuple(latent.float() for latent in pyramid)
        return images._replace(images=None, segmentation=None, pyramid=latents, view=view)

    costs: dict[int, Any] = {}
    drawn, together = batch(2, 0), min(at_once(config), config["size"]["watched"])
    drawing = sampling.cost(task, autoencoder, drawn._replace(pyramid=None), config, device=device, together=together)
    moments = {"drawing pictures": drawing.peak + copy}
    encoding = 0.0
    share = training.split(_world(config))[0]
    if not dataset.fixed:
        batch(share, 0)
        moments["encoding images"] = costs[share].peak
        encoding = costs[share].operations / share
    parts = {"denoiser": task.denoiser, "conditioner": task.conditioner, "view": task.view, "autoencoder": autoencoder}
    return _stage(
        "denoiser",
        config,
        model=task,
        phases=task.phases(),
        training=training,
        batch=batch,
        cycle=sum(config["task"].get("scales", {}).get("quotas") or [1]),
        parameters={name: _count(part) for name, part in parts.items() if _count(part)},
        others=memory.size_of(autoencoder.state_dict().values()),
        moments=moments,
        encoding=encoding,
        drawing=drawing.operations,
        table=disk.table(drawn, known.images) if dataset.fixed else 0,
        note="",
    )


def _stage(
    name: str,
    config: Mapping[str, Any],
    *,
    model: nn.Module,
    phases: Sequence[Phase],
    training: Training,
    batch: Any,
    cycle: int,
    **told: Any,
) -> Stage:
    device, world_size = torch.device(config["hardware"]["device"]), _world(config)
    freeze(model, phases, training.frozen)
    share, micro = training.split(world_size)
    sizes = [size for size in memory.divisors(share) if size % cycle == 0]
    other = max((size for size in sizes if size < micro), default=2 * micro)
    passes = min(2, share // micro)
    last = training.images - training.batch  # by the end everything takes part that ever will

    def costs(size: int) -> list[PhaseCost]:
        return of_step(phases, batch(size * passes, last), precision=training.precision, device=device, passes=passes)

    few, many = costs(min(micro, other)), costs(max(micro, other))
    standing = memory.standing(
        model, phases, averages=len(training.averages), optimizer=training.optimizer, world_size=world_size
    )
    space = disk.space(model, standing, training)
    return Stage(
        name=name,
        training=training,
        share=share,
        micro=micro,
        phases=few if micro < other else many,
        standing=standing,
        lines=memory.lines(few, many, images=(min(micro, other), max(micro, other))),
        sizes=sizes,
        **space._asdict(),
        **told,
    )


def _world(config: Mapping[str, Any]) -> int:
    return config["hardware"]["devices"] * config["hardware"]["nodes"]


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _fixed(task: Any) -> int:
    """Return the bytes of a perceptual network, which is no part of what is trained and kept."""
    networks = getattr(task.loss.perceptual, "_network", ())
    return sum(memory.size_of(network.state_dict().values()) for network in networks)


def _batch(config: Mapping[str, Any], reading: Any, known: Known, count: int, *, first: int) -> Batch:
    """Return samples without values of what would be read from position `first` on."""
    positions = torch.arange(first, first + count)
    batch = reading.collate(scenes(known.vocabulary, count), known.vocabulary, positions)
    side = config["size"]["resolution"]
    return batch._replace(
        images=torch.empty(count, 3, side, side, device="meta"),
        segmentation=torch.empty(count, side, side, dtype=torch.int16, device="meta") if known.segmented else None,
    )
