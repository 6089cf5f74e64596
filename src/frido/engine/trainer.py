"""The loop."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from frido.contracts import atomic
from frido.contracts.batch import Batch
from frido.contracts.phase import Phase
from frido.contracts.stream import Stream
from frido.contracts.tracker import Tracker
from frido.engine import checkpoint, distributed, out_of_memory
from frido.engine.ema import Ema
from frido.engine.freezing import freeze
from frido.engine.guard import undisturbed
from frido.engine.initialization import initialize
from frido.engine.loss_budget import LossBudget
from frido.engine.not_finite import NotFinite
from frido.engine.optimization import Optimization
from frido.engine.signals import Signals, Stopped
from frido.engine.snapshots import Snapshots
from frido.engine.speed.effort import Effort
from frido.engine.speed.profile import Profiler
from frido.engine.speed.stopwatch import Stopwatch
from frido.engine.speed.stretches import stretch
from frido.engine.state import State
from frido.engine.training import RAW, Training
from frido.engine.window import Window
from frido.engine.writer import Writer
from frido.tracking.jsonl import rewind

log = logging.getLogger(__name__)


def due(images_seen: int, *, every: int | None, step: int, last: int) -> bool:
    """Return whether the step of `step` images that ended at `images_seen` reached a multiple of `every` or the end."""
    return every is not None and (images_seen == last or images_seen // every > (images_seen - step) // every)


class Trainer:
    """Trains the phases of a task together, from its last checkpoint to its budget.

    What is trained depends on the settings and on `images_seen`, and on nothing else: N images, an interruption and
    N more give the bits of 2N at once, at equal threads, ranks and torch version.

    Args:
        directory: Takes `checkpoints/`; its `metrics.jsonl` and `timing.jsonl` are cut back to the checkpoint.
        phases: Each takes one step per batch, in this order.
        model: All state to be kept; holds every parameter that a phase trains.
        stream: This rank's part of the batches.
        training: Settings.
        tracker: Takes the logged means; used on the first rank only.
        device: Where model and phases are.
        max_loss: Samples that may turn out unreadable, over all ranks, before the training stops.
        profile_steps: To trace, see `frido.engine.speed.profile`; 0 traces none.
        during: Called on every rank with `(images seen, copy of the model with averaged weights)` every
            `training.picture_every_images` and at the end, before the checkpoint of the same moment; what it returns
            is logged. It may do anything with the copy and with random generators: the training does not feel it.
        facts: About data and such, as plain JSON: a checkpoint made under other facts is refused.
    """

    def __init__(
        self,
        *,
        directory: Path,
        phases: Sequence[Phase],
        model: nn.Module,
        stream: Stream,
        training: Training,
        tracker: Tracker,
        device: torch.device,
        max_loss: int,
        profile_steps: int,
        during: Callable[[int, nn.Module], Mapping[str, float]] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        training.split(distributed.world_size())
        _check_phases(phases, model)
        self.directory, self.phases, self.model, self.stream = directory, phases, model, stream
        self.training, self.tracker, self.device, self.during = training, tracker, device, during
        self.images_seen = 0
        self.losses = LossBudget(directory=directory, most=max_loss)
        self.not_finite = NotFinite(directory=directory, model=model, most=training.max_skipped)
        self.writer = Writer(directory=directory, keep=training.keep)

        for module in (model, *phases):
            module.train()
        freeze(model, phases, training.frozen)
        distributed.copy_from_main(model.state_dict().values())
        trained = {phase.name: [p for p in phase.trained() if p.requires_grad] for phase in phases}
        self.optimizations = {
            phase.name: Optimization(
                phase,
                parameters=trained[phase.name],
                others=_others(trained, phase.name),
                training=training,
                not_finite=self.not_finite,
                device=device,
            )
            for phase in phases
        }
        self.ema = Ema(model, averages=training.averages)
        self.snapshots = Snapshots(directory=directory, averages=training.averages, model=model, writer=self.writer)
        self.window = Window()
        self.state = State(
            model=model,
            ema=self.ema,
            optimizations=self.optimizations,
            window=self.window,
            not_finite=self.not_finite,
            training=training,
            facts=facts or {},
        )
        self.effort = Effort(phases, precision=training.precision, device=device)
        self.profiler = Profiler(directory=directory, steps=profile_steps, effort=self.effort, device=device)
        self._speed = Stopwatch()

    def run(self) -> None:
        """Train until the budget is used up; return at once where it is already.

        Raises:
            Stopped: A signal asked for it (see `frido.engine.signals`); the state is saved.
            FridoError: A loss or gradient is not finite, a phase refuses what it became, too many samples cannot be
                read, or the last state cannot be written; the last checkpoint is kept.
        """
        training, budget, step = self.training, self.training.images, self.training.batch
        with Signals() as signals, self.writer, self.profiler:  # which ends with the last checkpoint on disk
            self.restore()

            while self.images_seen < budget:
                with self._speed.running(step), distributed.in_step():
                    with self._speed.waiting(), stretch("data"):
                        batch = self.stream.at(self.images_seen).to(self.device)
                    self.losses.note(batch.lost)
                    self._step(batch)
                    self.images_seen += step
                    with stretch("ema"):
                        self.ema.update(self.model, images_seen=self.images_seen, batch=step)

                with distributed.in_step():
                    stop, lost = distributed.largest(signals.code, int(self.losses.news), device=self.device)
                    if lost:
                        self.losses.settle(self.images_seen)

                if due(self.images_seen, every=training.log_every_images, step=step, last=budget):
                    with stretch("logging"):
                        means = self.window.take()
                        self._log(means | self._rates(batch, means) | self._left_out())

                # Before the checkpoint: what is kept of this moment must include what was seen at it.
                if due(self.images_seen, every=training.snapshot_every_images, step=step, last=budget):
                    with stretch("checkpoint"):
                        self.snapshots.write(self.ema.weights, images_seen=self.images_seen)

                numbers: Mapping[str, float] = {}
                if self.during and due(self.images_seen, every=training.picture_every_images, step=step, last=budget):
                    with stretch("looking"), self.averaged() as averaged:
                        numbers = self.during(self.images_seen, averaged)
                    self._log(numbers)

                keep = due(self.images_seen, every=training.checkpoint_every_images, step=step, last=budget)
                if keep:  # not when merely asked to stop: what is checked must not depend on it
                    for phase in self.phases:
                        phase.check(self.images_seen)

                if stop or keep:
                    with stretch("checkpoint"):
                        self.save(due=keep, numbers=numbers)
                if stop:
                    done = "saved" if distributed.from_main(self.writer.settle()) else "NOT SAVED"
                    log.warning("asked to stop after %d images: %s, the same command continues", self.images_seen, done)
                    raise Stopped(stop)
                self.profiler.step(batch)
        distributed.barrier()

    def _step(self, batch: Batch) -> None:
        """Change the parameters of every phase."""
        optimizers = [optimization.optimizer for optimization in self.optimizations.values()]
        with out_of_memory.explained(
            self.phases, optimizers=optimizers, training=self.training, batch=batch, device=self.device
        ):
            for optimization in self.optimizations.values():
                self.window.add(optimization.step(batch, images_seen=self.images_seen))
                distributed.copy_from_main(self.model.buffers())  # codebooks: the first rank's are everybody's

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """Yield a copy of the model with averaged weights, for evaluation; whatever is done to it, the training goes on
        as if it had not been."""
        with undisturbed([self.model, *self.phases]):
            copy = deepcopy(self.model)
            if self.training.drawn_with != RAW:
                copy.load_state_dict(self.ema.weights[self.training.drawn_with])
            yield copy.eval().requires_grad_(False)
        distributed.barrier()

    def save(self, *, due: bool, numbers: Mapping[str, float]) -> None:
        """Begin to write a checkpoint (first rank), if the replicas agree; for the arguments see `keep.Kept`."""
        with distributed.in_step():
            distributed.check_replicas(self.model.state_dict(), self.device)
        if distributed.is_main():
            self.writer.write(self.state.take(self.images_seen, due=due, numbers=numbers))
        distributed.barrier()

    def restore(self) -> None:
        """Continue from the newest undamaged checkpoint, or start from `training.init_from`; forget what was logged
        after it."""
        path = None
        if distributed.is_main():
            checkpoint.tidy(self.directory)
            path = checkpoint.latest(self.directory)
        path = distributed.from_main(path)
        if path is not None:
            self.images_seen = self.state.put(path)
        elif self.training.init_from is not None:
            self._start_from(Path(self.training.init_from))
        if distributed.is_main():
            rewind(self.directory, images=self.images_seen)
        distributed.barrier()
        self.losses.restore()
        self.not_finite.restore(self.not_finite.in_a_row)

    def _start_from(self, source: Path) -> None:
        """Put in initial weights, from which the averages start as well."""
        match = initialize(self.model, source, parts=self.training.init_parts)
        self.ema.restore(dict.fromkeys(self.training.averages, self.model.state_dict()))
        if distributed.is_main():
            atomic.write_json(self.directory / "init_report.json", match._asdict())
            print(match)

    def _rates(self, batch: Batch, means: Mapping[str, float]) -> dict[str, float]:
        """Return how fast the training was since last asked, and what that asks of the machine (first rank)."""
        if not distributed.is_main():
            return {}
        speed = self._speed.take()
        self.effort.look(batch, means)
        rates = speed | self.effort.rates(images_per_second=speed["images_per_second"])
        return {f"{self.phases[0].name}/{name}": value for name, value in rates.items()}

    def _left_out(self) -> dict[str, float]:
        """Return how many samples were lost, steps left out and checkpoints not written: as soon as there is one, and
        at the end in any case."""
        counts = {
            "data/lost": self.losses.count,
            "steps_skipped": self.not_finite.count,
            "checkpoint_failures": self.writer.failures,
        }
        end = self.images_seen == self.training.images
        return {name: float(count) for name, count in counts.items() if count or end}

    def _log(self, values: Mapping[str, float]) -> None:
        if distributed.is_main() and values:
            self.tracker.log(values, images=self.images_seen)


def _others(trained: Mapping[str, Sequence[nn.Parameter]], name: str) -> list[nn.Parameter]:
    """Return the parameters that phases train, but not phase `name`."""
    own = {id(parameter) for parameter in trained[name]}
    everybody = {id(parameter): parameter for parameters in trained.values() for parameter in parameters}
    return [parameter for key, parameter in everybody.items() if key not in own]


def _check_phases(phases: Sequence[Phase], model: nn.Module) -> None:
    names = [phase.name for phase in phases]
    assert len(set(names)) == len(names), f"phases share a name: {names}"
    kept = {id(parameter) for parameter in model.parameters()}
    for phase in phases:
        assert all(id(parameter) in kept for parameter in phase.trained()), (
            f"phase {phase.name!r} trains parameters that are not in the model: a checkpoint would lose them"
        )
