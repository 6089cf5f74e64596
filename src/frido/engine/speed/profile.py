"""Where the time of a training goes: a trace of some of its steps, in numbers."""

import logging
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from frido.contracts import atomic
from frido.contracts.batch import Batch
from frido.engine import distributed
from frido.engine.speed import stretches
from frido.engine.speed.effort import Effort

log = logging.getLogger(__name__)

WARM_UP = 3
"""Steps before the first that is traced: they build kernels, fill caches and compile."""

TOP = 10
"""Operators that are named."""


class Profiler:
    """Traces some steps of a training; the training does not change by that, but is slower meanwhile.

    While entered, counts steps. After the last one (or at the end of a training that has fewer) it writes
    `profile/trace.json.gz` (for https://ui.perfetto.dev or chrome://tracing) and `profile/shares.json`, and the first
    rank prints a table; other ranks have their number in the names of their files. Files of earlier traces are
    replaced.

    Args:
        directory: Of the run or stage.
        steps: To trace, after `WARM_UP` steps of this process; 0 traces nothing and costs nothing.
        effort: Of the training.
        device: That it is on.
    """

    def __init__(self, *, directory: Path, steps: int, effort: Effort, device: torch.device) -> None:
        self.directory, self.steps, self.effort, self.device = directory / "profile", steps, effort, device
        self._seen, self._images = 0, 0
        self._trace: profile | None = None
        self._batch: Batch | None = None

    def __enter__(self) -> "Profiler":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._trace is not None and error is None:
            self._finish(self._trace)
        elif self._trace is not None:
            self._trace.stop()  # whoever continues traces anew
        if error is None and 0 < self._seen <= WARM_UP and self.steps:
            log.warning("no step was traced: this training ended after %d", self._seen)

    def step(self, batch: Batch) -> None:
        """Count a step, the last of its traces and all.

        Args:
            batch: That it took, this rank's part.
        """
        if self._seen >= WARM_UP + self.steps:
            return
        self._seen += 1
        if self._trace is not None:
            self._images += batch.size * distributed.world_size()
            self._batch = batch
        if self._seen == WARM_UP and self.steps:
            self._start()
        if self._seen == WARM_UP + self.steps and self._trace is not None:
            self._finish(self._trace)

    def _start(self) -> None:
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it calls the absence of a GPU an error
        gpu = [ProfilerActivity.CUDA] if self.device.type == "cuda" else []
        self._trace = profile(activities=[ProfilerActivity.CPU, *gpu])
        self._trace.start()
        self._wait()
        self._began = time.perf_counter()

    def _finish(self, trace: profile) -> None:
        self._wait()
        seconds = time.perf_counter() - self._began
        trace.stop()
        batch, self._batch, self._trace = self._batch, None, None
        if batch is None:  # the training ended with the warm-up
            return
        speed = self._images / seconds
        self.effort.look(batch, {})
        found = {
            "device": self._device_name(),
            "ranks": distributed.world_size(),
            "threads": torch.get_num_threads(),
            "steps": self._seen - WARM_UP,
            "images": self._images,
            "seconds": seconds,
            **shares(trace.events() or (), seconds=seconds),
            "operators": operators(trace, seconds=seconds, gpu=self.device.type == "cuda"),
            "images_per_second": speed,
            **self.effort.rates(images_per_second=speed),
        }
        rank = f".rank{distributed.rank()}" if distributed.rank() else ""
        place = self.directory / f"trace{rank}.json.gz"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            partial = place.with_name(f".{place.name.removesuffix('.gz')}.partial.gz")
            trace.export_chrome_trace(str(partial))
            partial.replace(place)
            atomic.write_json(self.directory / f"shares{rank}.json", found)
        except OSError as problem:  # a full disk is no reason to stop training
            log.error("the trace cannot be written to %s: %s", self.directory, problem)
        if distributed.is_main():
            show(found, trace=place)
        distributed.barrier()  # so that nobody waits for another's files in a step, whose time counts

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _device_name(self) -> str:
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"


def shares(events: Iterable[Any], *, seconds: float) -> dict[str, dict[str, Any]]:
    """Return the shares of time, in [0, 1], of the named stretches among events of a trace.

    Args:
        events: `FunctionEvent`s, or what has their `name`, `device_type` and `time_range`.
        seconds: That the trace took; what is in no stretch is the share `rest`.

    Returns:
        `shares`: by stretch, with a sum of 1; `phases`: of each phase, by stretch.
    """
    told = dict.fromkeys(stretches.NAMES, 0.0)
    phases: dict[str, dict[str, float]] = {}
    for event in events:
        if event.device_type != DeviceType.CPU or not event.name.startswith(stretches.PREFIX):
            continue
        name, _, phase = event.name.removeprefix(stretches.PREFIX).partition("/")
        share = event.time_range.elapsed_us() / 1e6 / seconds
        told[name] += share
        if phase:
            own = phases.setdefault(phase, {})
            own[name] = own.get(name, 0.0) + share
    return {"shares": told | {"rest": 1.0 - sum(told.values())}, "phases": phases}


def operators(trace: profile, *, seconds: float, gpu: bool) -> list[dict[str, Any]]:
    """Return the `TOP` operators by the time that they took themselves, on a GPU by its kernels' time."""

    def own_us(event: Any) -> float:
        return event.self_device_time_total if gpu else event.self_cpu_time_total

    found = [e for e in trace.key_averages() if e.device_type == DeviceType.CPU and not e.is_user_annotation]
    return [
        {
            "name": event.key,
            "calls": event.count,
            "seconds": own_us(event) / 1e6,
            "share": own_us(event) / 1e6 / seconds,
        }
        for event in sorted(found, key=own_us, reverse=True)[:TOP]
    ]


def show(found: dict[str, Any], *, trace: Path) -> None:
    """Print what `shares.json` holds, on standard error."""
    steps, seconds = found["steps"], found["seconds"]
    table = Table()
    for name in ("stretch", "share", "ms a step"):
        table.add_column(name, justify="left" if name == "stretch" else "right")
    for name, share in found["shares"].items():
        table.add_row(name, f"{share:.1%}", f"{1e3 * share * seconds / steps:.4g}")
        of = {phase: own[name] for phase, own in found["phases"].items() if name in own}
        for phase, own in of.items() if len(of) > 1 else ():
            table.add_row(f"  of {phase}", f"{own:.1%}", f"{1e3 * own * seconds / steps:.4g}")
    table.add_section()
    for operator in found["operators"]:
        table.add_row(operator["name"], f"{operator['share']:.1%}", f"{1e3 * operator['seconds'] / steps:.4g}")
    told = [f"{found['images_per_second']:.4g} images/s", f"peak memory {found['peak_memory_bytes'] / 2**30:.3g} GiB"]
    if "flops_per_second" in found:
        rate = f"{found['flops_per_second'] / 1e9:,.4g} GFLOP/s"
        told.append(f"{rate}, {found['peak_share']:.1%} of what a product of matrices reaches here")
    console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    console.print(f"where the time of {steps} steps went ({found['images']} images in {seconds:.3g} s, while traced)")
    console.print(table)
    console.print(f"{'; '.join(told)}\ntrace: {trace} (open it at https://ui.perfetto.dev)", markup=False)
