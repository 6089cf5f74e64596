"""What the choices of size tiny cost, each as a ratio of two arms timed in turn in one process.

    MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=4294967296 python benchmarks/tiny.py

Arms alternate A B A B ..., and a ratio is the median over pairs. Allocator thresholds are set outside, for all arms.
"""

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from frido.cli.build import build
from frido.cli.compose import compose
from frido.contracts.batch import Annotations, Batch
from frido.data.sources.scenes import VOCABULARY

PAIRS, TRAINED, SAMPLED, STEPS = 7, 64, 16, 10
Arm = Callable[[], None]


class Models:
    """Both stages of `size=tiny` with initial weights."""

    def __init__(self, *overrides: str) -> None:
        config = compose("run", ["size=tiny", *overrides])
        diffusion = config["diffusion"]
        torch.manual_seed(0)
        self.autoencoder = build(config["autoencoder"])
        self.first_stage = build(config["first_stage"], autoencoder=self.autoencoder)
        conditioner = build(config["conditioning"], vocabulary=VOCABULARY)
        self.task = build(
            config["task"],
            conditioner=conditioner,
            denoiser=build(config["denoiser"], channels=self.autoencoder.channels, context_width=conditioner.width),
            **{part: build(diffusion[part]) for part in ("schedule", "parameterization", "teacher_forcing", "layout")},
        )
        self.sampler = build({**diffusion["sampler"], "steps": STEPS})
        self.guidance = build(diffusion["guidance"])
        scales = zip(self.autoencoder.channels, self.autoencoder.factors, strict=True)
        self.shapes = [(channels, 64 // factor, 64 // factor) for channels, factor in scales]

    def batch(self, count: int) -> Batch:
        return Batch(
            images=torch.rand(count, 3, 64, 64) * 2 - 1,
            annotations=annotations(count),
            ids=tuple(map(str, range(count))),
            positions=torch.arange(count),
            valid=torch.ones(count, dtype=torch.bool),
            pyramid=tuple(torch.randn(count, *shape) for shape in self.shapes),
        )


def annotations(count: int) -> Annotations:
    return Annotations(
        categories=torch.randint(0, len(VOCABULARY.categories), (count, 3)),
        attributes=torch.randint(0, len(VOCABULARY.attributes), (count, 3, 3)),
        boxes_xyxy=torch.tensor([0.1, 0.1, 0.5, 0.5]).expand(count, 3, 4).contiguous(),
        relationships=torch.randint(0, 3, (count, 16, 3)),
        captions=torch.zeros(count, 0, dtype=torch.uint8),
        crops_xyxy=torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(count, 4),
        mirrored=torch.zeros(count, dtype=torch.bool),
    )


def training(models: Models, task: Any, precision: str) -> Arm:
    """Return one optimizer step over all phases of a task."""
    batch = models.batch(TRAINED)
    phases = [(phase, torch.optim.AdamW(list(phase.trained()), lr=1e-3, fused=True)) for phase in task.phases()]

    def step() -> None:
        for phase, optimizer in phases:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                loss = phase(batch)["loss"]
            loss.backward()
            optimizer.step()

    return step


def sampling(models: Models, precision: str) -> Arm:
    """Return drawing images with guidance, coarse to fine, decoded."""
    scenes, keys = annotations(SAMPLED), torch.arange(SAMPLED)

    @torch.no_grad()
    def sample() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            pyramid = models.task.generate(
                scenes, sampler=models.sampler, guidance=models.guidance, shapes=models.shapes, seed=0, keys=keys
            )
            models.autoencoder.decode(pyramid)

    return sample


def chain(models: Models, *, once: bool) -> Arm:
    """Return the network calls of the fine chain, its condition made once or in every step (fp32)."""
    batch, task = models.batch(SAMPLED), models.task
    coarse, noisy = models.task.layout.coarse(batch.pyramid[:1], own=models.shapes), batch.pyramid[1]
    moment = torch.full((SAMPLED,), 500.0)

    @torch.no_grad()
    def run() -> None:
        context = task.conditioner(batch.annotations)
        condition = task.denoiser.condition(scale=1, coarse=coarse, context=context)
        for step in range(STEPS):
            if step and not once:
                condition = task.denoiser.condition(scale=1, coarse=coarse, context=context)
            task.denoiser(noisy, moment, condition)

    return run


def ratio(name: str, images: int, first: tuple[str, Arm], second: tuple[str, Arm]) -> str:
    """Return a table row: images/s of both arms, and how much faster the second is, median over pairs."""
    seconds: dict[str, list[float]] = {first[0]: [], second[0]: []}
    for pair in range(PAIRS + 1):
        for label, arm in (first, second):
            start = time.perf_counter()
            arm()
            if pair:  # the first pair warms up
                seconds[label].append(time.perf_counter() - start)
    slow, fast = seconds.values()
    rates = [f"{label} {images / statistics.median(times):.1f}" for label, times in seconds.items()]
    pairs = [a / b for a, b in zip(slow, fast, strict=True)]
    return (
        f"| {name} | {rates[0]} | {rates[1]} | {statistics.median(pairs):.2f} | {min(pairs):.2f} to {max(pairs):.2f} |"
    )


def main() -> None:
    torch.set_num_threads(2)
    native, stacked = Models(), Models("diffusion/layout=stacked")
    cpu = next(
        (line.split(":")[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ""
    )
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads,{cpu or platform.processor()}\n")
    print("| images/s | first arm | second arm | second over first, median | range |\n|---|---|---|---|---|")
    for name, task in (("training, autoencoder", native.first_stage), ("training, denoiser", native.task)):
        arms = [(precision, training(native, task, precision)) for precision in ("fp32", "bf16")]
        print(ratio(name, TRAINED, *arms), flush=True)
    arms = [(precision, sampling(native, precision)) for precision in ("fp32", "bf16")]
    print(ratio(f"sampling, {STEPS} steps a scale, guided", SAMPLED, *arms), flush=True)
    arms = [("every step", chain(native, once=False)), ("once", chain(native, once=True))]
    print(ratio(f"`condition()`, fine chain of {STEPS} calls, fp32", SAMPLED, *arms), flush=True)
    layouts = (("stacked", stacked), ("native", native))
    arms = [(name, training(models, models.task, "bf16")) for name, models in layouts]
    print(ratio("layout, training the denoiser, bf16", TRAINED, *arms), flush=True)
    arms = [(name, sampling(models, "bf16")) for name, models in layouts]
    print(ratio("layout, sampling, bf16", SAMPLED, *arms), flush=True)


if __name__ == "__main__":
    main()
