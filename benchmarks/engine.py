"""What the engine costs: over a bare loop, for checkpoints, between two ranks, and in memory for averages.

    python benchmarks/engine.py                       # all four, as tables; about 12 minutes on two CPU cores
    python benchmarks/engine.py overhead checkpoints  # some of them

Both stages train at size tiny, in bf16, from one batch that stays in memory: the second stage, and the first with its
discriminator playing. Every measurement is a process of its own with the same allocator thresholds.

overhead     A bare loop does what a training needs: gradients set to None, learning rate, forward, backward, clipping
             where the settings clip, optimizer. A second one also averages the weights as the settings say, with the
             same `torch._foreach` calls; the engine does the same work as that one, which is checked: all end with the
             same bits. What the engine does more is reseeding, the norm of the gradient where nothing clips by it, the
             check of all losses, sums for the log, and its lines, which only the column of all steps together is sure
             to see. Steps of all arms take turns: the engine asks for its batch, and the others take their step
             before it gets it. Ratios are those of the turns.
checkpoints  The engine's own loop with a checkpoint every `EVERY` steps. What a checkpoint takes is the time of these
             steps and the pause between them, less as many steps (the median of those with nothing to write); the
             thread that writes takes its share of the cores meanwhile, which is in it. The share is that of a step at
             the cadence of the settings.
ranks        Images per second of two processes of one thread on gloo, over those of one process of two threads.
averages     Memory that a training holds at size small with 0 to 3 averages, and what updating them takes.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
OVERRIDES = ("autoencoder/loss=adversarial", "size.adversarial_images=0")  # it plays from the first image on
STAGES = {"denoiser": "denoiser", "autoencoder": "autoencoder and discriminator"}
ARMS = ("bare loop", "bare loop with averages", "engine")
WARM_UP, EVERY = 4, 16
Step = Callable[[int], None]


@cache
def composed(*overrides: str) -> dict[str, Any]:
    from frido.cli.compose import compose

    return compose("run", overrides)


class Setting:
    """A stage of the main job with initial weights, always the same.

    Args:
        stage: "denoiser" or "autoencoder".
        size: "tiny" or "small".
        steps: To train for.
        changes: Of the stage's training.
    """

    def __init__(self, stage: str, *, size: str, steps: int, **changes: Any) -> None:
        import torch

        from frido.cli.build import build
        from frido.contracts.context import ContextWidths
        from frido.data.sources.scenes import VOCABULARY

        config = composed(f"size={size}", *OVERRIDES)
        plan = config["training"][stage]
        budget = {"images": steps * plan["batch"], "picture_every_images": None, "snapshot_every_images": None}
        self.training = build(plan | budget | {"precision": "bf16"} | changes)
        torch.manual_seed(0)
        autoencoder = build(config["autoencoder"])
        scales = zip(autoencoder.channels, autoencoder.factors, strict=True)
        self.side = config["size"]["resolution"]
        self.shapes = [(channels, self.side // factor, self.side // factor) for channels, factor in scales]
        if stage == "autoencoder":
            self.task = build(config["first_stage"] | {"least_perplexity": 1.0}, autoencoder=autoencoder)
            return
        conditioner = build(config["conditioning"], vocabulary=VOCABULARY)
        parts = ("schedule", "parameterization", "teacher_forcing", "layout")
        diffusion = {part: build(config["diffusion"][part]) for part in parts}
        denoiser = build(
            config["denoiser"],
            channels=autoencoder.channels,
            context=ContextWidths(tokens=conditioner.width, map=0, pooled=conditioner.pooled_width),
            tells_level=diffusion["teacher_forcing"].tells_level,
        )
        view = build(
            config["view"],
            vocabulary=VOCABULARY,
            latent_channels=autoencoder.channels[-1],
            factor=autoencoder.factors[-1],
        )
        self.task = build(config["task"], denoiser=denoiser, conditioner=conditioner, view=view, **diffusion)

    def batch(self, *, rank: int = 0, ranks: int = 1) -> Any:
        """Return a rank's part of one random batch."""
        import torch

        from frido.contracts.batch import Annotations, Batch
        from frido.data.sources.scenes import VOCABULARY

        random, count, objects = torch.Generator().manual_seed(1), self.training.batch, 3

        def words(kinds: Sequence[str], *shape: int) -> Any:
            return torch.randint(0, len(kinds), (count, *shape), generator=random)

        whole = Batch(
            images=torch.rand(count, 3, self.side, self.side, generator=random) * 2 - 1,
            annotations=Annotations(
                categories=words(VOCABULARY.categories, objects),
                attributes=words(VOCABULARY.attributes, objects, 3),
                boxes_xyxy=torch.tensor([0.1, 0.1, 0.5, 0.5]).expand(count, objects, 4),
                relationships=words("abc", objects, 3),
                captions=torch.zeros(count, 0, dtype=torch.uint8),
                crops_xyxy=torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(count, 4),
                mirrored=torch.zeros(count, dtype=torch.bool),
            ),
            ids=tuple(map(str, range(count))),
            positions=torch.arange(count),
            valid=torch.ones(count, dtype=torch.bool),
            pyramid=tuple(torch.randn(count, *shape, generator=random) for shape in self.shapes),
        )
        return whole.rows(rank * count // ranks, (rank + 1) * count // ranks)

    def trainer(self, directory: Path, stream: Any) -> Any:
        import torch

        from frido.engine.trainer import Trainer
        from frido.tracking.jsonl import JsonlTracker

        return Trainer(
            directory=directory,
            phases=self.task.phases(),
            model=self.task,
            stream=stream,
            training=self.training,
            tracker=JsonlTracker(directory=directory),
            device=torch.device("cpu"),
            max_loss=0,
            profile_steps=0,
        )


class Turns:
    """A `Stream` of one batch that measures the steps of who asks for it, and lets other arms step in between."""

    def __init__(self, batch: Any, arms: dict[str, Step]) -> None:
        self.batch, self.arms, self.left = batch, arms, 0.0
        self.seconds: dict[str, list[float]] = {name: [] for name in (*arms, "engine")}

    def at(self, images_seen: int) -> Any:
        if self.left:
            self.seconds["engine"].append(time.perf_counter() - self.left)
        for name, step in self.arms.items():
            start = time.perf_counter()
            step(images_seen)
            self.seconds[name].append(time.perf_counter() - start)
        self.left = time.perf_counter()
        return self.batch


def bare(setting: Setting, batch: Any, *, averaging: bool) -> Step:
    """Return a training step as one would write it without an engine."""
    import torch
    from torch import nn
    from torch.optim.swa_utils import get_ema_multi_avg_fn

    task, training = setting.task.train(), setting.training
    phases = []
    for phase in task.phases():
        own = list(phase.trained())
        others = [p for p in task.parameters() if all(p is not q for q in own)]
        phases.append((phase.train(), own, others, training.optimizer(own)))
    (rate,) = {group["lr"] for *_, optimizer in phases for group in optimizer.param_groups}
    state = task.state_dict(keep_vars=True)
    parameters = [tensor for tensor in state.values() if isinstance(tensor, nn.Parameter)]
    buffers = [tensor for tensor in state.values() if not isinstance(tensor, nn.Parameter)]
    averages = [
        (average, [p.detach().clone() for p in parameters], [b.clone() for b in buffers])
        for average in training.averages.values()
    ]

    def step(images_seen: int) -> None:
        for phase, own, others, optimizer in phases:
            for group in optimizer.param_groups:
                group["lr"] = rate * training.schedule(images_seen, budget=training.images)
            optimizer.zero_grad(set_to_none=True)
            for parameter in others:
                parameter.requires_grad_(False)
            with torch.autocast("cpu", torch.bfloat16):
                loss = phase(batch)["loss"]
            loss.backward()
            for parameter in others:
                parameter.requires_grad_(True)
            if training.clip_norm is not None:
                nn.utils.clip_grad_norm_(own, training.clip_norm)
            optimizer.step()
        if averaging:
            seen = images_seen + batch.size
            with torch.no_grad():
                for average, averaged, copies in averages:
                    if copies:
                        torch._foreach_copy_(copies, buffers)
                    get_ema_multi_avg_fn(average.decay(seen, batch=batch.size))(averaged, parameters, 0)

    return step


def overhead(stage: str, steps: int, directory: Path) -> dict[str, Any]:
    """Return seconds of each step by arm, after the first line of the log: before it operations are counted once."""
    import torch

    known = Setting(stage, size="tiny", steps=1).training
    skipped = known.log_every_images // known.batch
    plan: dict[str, Any] = {"size": "tiny", "steps": skipped + steps + 1, "checkpoint_every_images": 10**9}
    settings = {arm: Setting(stage, **plan) for arm in ARMS}
    batch = settings["engine"].batch()
    turns = Turns(batch, {arm: bare(settings[arm], batch, averaging=arm != "bare loop") for arm in ARMS[:-1]})
    settings["engine"].trainer(directory, turns).run()
    for name, tensor in settings["engine"].task.state_dict().items():
        if not name.startswith("use."):  # counted anew at the checkpoint that ends a training
            for arm in ARMS[:-1]:
                same = torch.equal(settings[arm].task.state_dict()[name], tensor)
                assert same, f"the {arm} and the engine did not do the same: {name}"
    return {arm: seconds[skipped : skipped + steps] for arm, seconds in turns.seconds.items()}


def checkpoints(stage: str, steps: int, directory: Path) -> dict[str, Any]:
    """Return seconds of a step and of what each checkpoint takes from the training, the pauses among it, and more."""
    cadence = Setting(stage, size="tiny", steps=1).training
    count = -(-steps // EVERY) + 1
    setting = Setting(
        stage,
        size="tiny",
        steps=(count + 1) * EVERY,
        checkpoint_every_images=EVERY * cadence.batch,
        log_every_images=10**9,
    )
    turns = Turns(setting.batch(), {})
    trainer = setting.trainer(directory, turns)
    pauses: list[float] = []
    save = trainer.save

    def timed(**arguments: Any) -> None:
        start = time.perf_counter()
        save(**arguments)
        pauses.append(time.perf_counter() - start)

    trainer.save = timed
    trainer.run()
    seconds = turns.seconds["engine"][EVERY - 1 :]  # from the step that ends in the first checkpoint
    windows = [seconds[start : start + EVERY] for start in range(0, count * EVERY, EVERY)]
    quiet = [second for window in windows for second in window[EVERY // 2 :]]
    newest = sorted((directory / "checkpoints").iterdir())[-1]
    return {
        "step": statistics.median(quiet),
        "taken": [sum(window) - EVERY * statistics.median(window[EVERY // 2 :]) for window in windows[1:]],
        "pauses": pauses[1:-1],
        "first": pauses[0],
        "steps_between": cadence.checkpoint_every_images // cadence.batch,
        "bytes": sum(file.stat().st_size for file in newest.iterdir()),
    }


def ranks(stage: str, steps: int, directory: Path) -> dict[str, Any]:
    """Return images per second of this process, and its sibling if it has one."""
    from frido.engine import distributed

    with distributed.process_group("cpu", stalled_after_minutes=30.0):
        setting = Setting(stage, size="tiny", steps=steps + WARM_UP + 1, checkpoint_every_images=10**9)
        turns = Turns(setting.batch(rank=distributed.rank(), ranks=distributed.world_size()), {})
        setting.trainer(directory, turns).run()
        return {"images_per_second": setting.training.batch * steps / sum(turns.seconds["engine"][WARM_UP:])}


def averages(profiles: str, steps: int, directory: Path) -> dict[str, Any]:
    """Return what `profiles` averages take in bytes, by their tensors and by the process, and seconds of an update."""
    from frido.engine.averages.power import Power
    from frido.engine.ema import Ema

    setting = Setting("denoiser", size="small", steps=1)
    before = resident()
    ema = Ema(setting.task, averages={str(n): Power(sigma_rel=0.05 * n) for n in range(1, int(profiles) + 1)})
    seconds = []
    for step in range(1, steps + 1):
        start = time.perf_counter()
        ema.update(setting.task, images_seen=step * 128, batch=128)
        seconds.append(time.perf_counter() - start)
    return {
        "weights": sum(tensor.nbytes for tensor in setting.task.state_dict().values()),
        "tensors": sum(tensor.nbytes for own in ema.weights.values() for tensor in own.values()),
        "resident": resident() - before,
        "seconds": statistics.median(seconds),
    }


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


PARTS: dict[str, Callable[[str, int, Path], dict[str, Any]]] = {
    "overhead": overhead,
    "checkpoints": checkpoints,
    "ranks": ranks,
    "averages": averages,
}


def apart(part: str, what: str, *, steps: int, threads: int, processes: int = 1) -> dict[str, Any]:
    """Return what a part finds in some processes of its own, of which the first tells."""
    with tempfile.TemporaryDirectory() as directory, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(processes)}
        free.close()
        common = os.environ | ALLOCATOR | group | {"OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, __file__, part, "--here", what, "--in", directory, "--steps", str(steps)]
        started = [
            subprocess.Popen(command, env=common | {"RANK": str(rank)}, stdout=subprocess.PIPE, text=True)
            for rank in range(processes)
        ]
        told = [process.communicate()[0] for process in started]
        assert not any(process.returncode for process in started), f"{part} of {what} failed"
    print(f"{part}, {what}, {processes} of {threads} threads: {told[0].strip()[-200:]}", file=sys.stderr, flush=True)
    return json.loads(told[0].splitlines()[-1])


def pooled(part: str, stage: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Return what several processes found one after the other: lists joined, of other numbers the median."""
    found = [apart(part, stage, steps=asked.steps, threads=asked.threads) for _ in range(asked.repeats)]
    return {
        key: [number for one in found for number in one[key]]
        if isinstance(value, list)
        else statistics.median(one[key] for one in found)
        for key, value in found[0].items()
    }


def spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    """Return the median and the quartiles."""
    low, middle, high = (form(value) for value in statistics.quantiles(values, n=4))
    return f"{middle} ({low} to {high})"


def milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.1f}"


def header(*columns: str) -> None:
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")


def show_overhead(asked: argparse.Namespace) -> None:
    header("training", "arm", "ms per step", "over", "its steps, median (quartiles)", "all steps together")
    for stage, name in STAGES.items():
        found = pooled("overhead", stage, asked)
        for arm, other in ((ARMS[1], ARMS[0]), (ARMS[2], ARMS[1]), (ARMS[2], ARMS[0])):
            each = spread([a / b - 1 for a, b in zip(found[arm], found[other], strict=True)], "{:+.1%}".format)
            whole = sum(found[arm]) / sum(found[other]) - 1
            print(
                f"| {name} | {arm} | {milliseconds(statistics.median(found[arm]))} | {other} | {each} | {whole:+.1%} |"
            )


def show_checkpoints(asked: argparse.Namespace) -> None:
    times = ("ms per step", "ms that a checkpoint takes", "ms of pause", "ms of the first pause")
    header("training", "MB", *times, "steps between", "share of their time")
    for stage, name in STAGES.items():
        found = pooled("checkpoints", stage, asked)
        share = statistics.median(found["taken"]) / (found["step"] * found["steps_between"])
        times = [spread(found[key], milliseconds) for key in ("taken", "pauses")]
        cells = [f"{found['bytes'] / 1e6:.1f}", milliseconds(found["step"]), *times, milliseconds(found["first"])]
        print(f"| {name} | {' | '.join(cells)} | {found['steps_between']:.0f} | {share:.2%} |")


def show_ranks(asked: argparse.Namespace) -> None:
    header("training", "one process of 2 threads, images/s", "two of 1 thread", "ratio, median (range)")
    for stage, name in STAGES.items():
        pairs = []
        for _ in range(asked.repeats):
            both = (apart("ranks", stage, steps=asked.steps, threads=2 // n, processes=n) for n in (1, 2))
            pairs.append([found["images_per_second"] for found in both])
        ratios = [two / one for one, two in pairs]
        rates = " | ".join(f"{statistics.median(column):.1f}" for column in zip(*pairs, strict=True))
        print(f"| {name} | {rates} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |")


def show_averages(asked: argparse.Namespace) -> None:
    header("averages", "weights, MB", "their tensors, MB", "resident, MB", "ms per update")
    for profiles in range(4):
        found = apart("averages", str(profiles), steps=asked.steps, threads=asked.threads)
        sizes = " | ".join(f"{found[key] / 1e6:.1f}" for key in ("weights", "tensors", "resident"))
        print(f"| {profiles} | {sizes} | {milliseconds(found['seconds'])} |")


SHOW = {"overhead": show_overhead, "checkpoints": show_checkpoints, "ranks": show_ranks, "averages": show_averages}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument("--repeats", type=int, default=3, help="processes per measurement")
    parser.add_argument("--steps", type=int, default=64, help="measured in each")
    parser.add_argument("--threads", type=int, default=2, help="of each process, but in ranks")
    parser.add_argument("--here", metavar="WHAT", help="measure in this process, print JSON")
    parser.add_argument("--in", dest="directory", type=Path, help="for files, with --here")
    asked = parser.parse_args()
    parts = asked.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(unknown)}")
    if asked.here:
        import torch

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        print(json.dumps(PARTS[parts[0]](asked.here, asked.steps, asked.directory)))
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {asked.threads} threads")
    for part in parts:
        SHOW[part](asked)


if __name__ == "__main__":
    main()
