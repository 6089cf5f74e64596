"""The published PyU-Net f16f8 on a GPU in bf16: training from latents and sampling, compiled and not.

    python benchmarks/second_stage_gpu.py                                  # all arms
    python benchmarks/second_stage_gpu.py --arm "training, compiled" --batches 32 64 128
    python benchmarks/second_stage_gpu.py --device cpu --tiny              # the same code; its numbers mean nothing

Prints Markdown tables, and as the last line all of it as JSON. Every arm is a process of its own; its rows come to
standard error as they are measured. 511.678 M weights, latents of 4 channels on grids of 16 and 32, native layout,
77 tokens of 640 channels that are given ready made.

Training: a step is the engine's own, both scales, with the noise drawn, clipping, AdamW and the averages of weights.
The batch is doubled until memory ends; each size compiles for itself. FLOPs are counted, forward and backward, without
what checkpointing computes again: the share of the peak is of useful work. Sampling: latents only, no decoder;
DPM-Solver++ with 20 steps per scale and guidance, a condition made once per scale. `compiled` is what
hardware.compile=whole does. Times are medians after a warm-up, with the device synchronised; `first` is the first
call, compilation included. Memory is the most that tensors held, weights, optimizer and averages included.
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ARMS: dict[str, dict[str, bool]] = {
    "training": {"compiled": False, "checkpointing": False},
    "training, checkpointing": {"compiled": False, "checkpointing": True},
    "training, compiled": {"compiled": True, "checkpointing": False},
    "training, compiled, checkpointing": {"compiled": True, "checkpointing": True},
    "sampling": {"compiled": False},
    "sampling, compiled": {"compiled": True},
}
FACTS = "facts"  # the first process: what device this is, and the FLOPs
PEAKS = {"B200": 2250, "H200": 989, "H100 PCIe": 756, "H100": 989, "L40S": 362, "A100": 312}  # TFLOP/s, bf16, dense
WARM_UP = 2  # calls after the first, before any that counts


@dataclass(frozen=True)
class Size:
    """What is measured: settings of the network, shapes of its latents, and how often."""

    overrides: tuple[str, ...]
    shapes: tuple[tuple[int, int, int], ...]
    tokens: tuple[int, int]
    steps: int
    batches: tuple[int, ...]
    images: tuple[int, ...]
    repeats: int
    backend: str


FULL = Size(
    overrides=("denoiser=pyunet_f16f8", "size=paper"),
    shapes=((4, 16, 16), (4, 32, 32)),
    tokens=(77, 640),
    steps=20,
    batches=tuple(8 * 2**k for k in range(9)),
    images=(1, 16),
    repeats=10,
    backend="inductor",
)
TINY = Size(
    overrides=("denoiser=pyunet", "size=tiny", "denoiser.multipliers=[1]", "denoiser.num_res_blocks=1"),
    shapes=((4, 4, 4), (4, 8, 8)),
    tokens=(5, 24),
    steps=2,
    batches=(2, 4),
    images=(1, 2),
    repeats=2,
    backend="aot_eager",
)


def settings(size: Size, *, checkpointing: bool = False) -> dict[str, Any]:
    from frido.cli.compose import compose

    changes = [f"diffusion.sampler.steps={size.steps}", f"denoiser.checkpointing={str(checkpointing).lower()}"]
    return compose("run", ["hardware=gpu", *size.overrides, *changes])


def second_stage(config: dict[str, Any], size: Size, device: str) -> Any:
    """Return the task with its initial weights and a context that costs nothing to make."""
    import torch

    from frido.cli.build import build
    from frido.conditioning.base import Conditioner
    from frido.conditioning.views.none import NoView
    from frido.contracts.batch import Annotations
    from frido.contracts.context import Context, ContextWidths
    from frido.contracts.scene import Vocabulary

    class ReadyMade(Conditioner):
        def __init__(self, *, tokens: int, width: int) -> None:
            super().__init__()
            self.width = width
            self.register_buffer("tokens", torch.randn(1, tokens, width))

        def forward(self, annotations: Annotations) -> Context:
            return Context(tokens=self.tokens.expand(len(annotations.categories), -1, -1))

        def empty(self, annotations: Annotations) -> Context:
            return Context(tokens=torch.zeros_like(self.tokens).expand(len(annotations.categories), -1, -1))

    torch.manual_seed(0)
    diffusion, (tokens, width) = config["diffusion"], size.tokens
    parts = {part: build(diffusion[part]) for part in ("schedule", "parameterization", "teacher_forcing", "layout")}
    channels = [shape[0] for shape in size.shapes]
    widths = ContextWidths(tokens=width, map=0, pooled=0)
    denoiser = build(config["denoiser"], channels=channels, context=widths, tells_level=False)
    view = NoView(vocabulary=Vocabulary((), (), ()), latent_channels=channels[-1], factor=8)
    conditioner = ReadyMade(tokens=tokens, width=width)
    return build(config["task"], denoiser=denoiser, conditioner=conditioner, view=view, **parts).to(device)


def latents(size: Size, batch: int, device: str) -> Any:
    """Return a batch of random latents, without scenes."""
    import torch

    from frido.contracts.batch import Annotations, Batch

    none = torch.zeros(batch, 0, dtype=torch.long)
    return Batch(
        images=None,
        annotations=Annotations(
            none,
            none[..., None],
            torch.zeros(batch, 0, 4),
            none[..., None].expand(-1, -1, 3),
            none.byte(),
            torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(batch, 4),
            torch.zeros(batch, dtype=torch.bool),
        ),
        ids=tuple(map(str, range(batch))),
        positions=torch.arange(batch),
        valid=torch.ones(batch, dtype=torch.bool),
        pyramid=tuple(torch.randn(batch, *shape) for shape in size.shapes),
    ).to(torch.device(device))


def facts(size: Size, device: str) -> Iterator[dict[str, Any]]:
    """Yield the device and the FLOPs of training on one image: 2 per multiplication and addition, both scales."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    (phase,) = second_stage(settings(size), size, device).phases()
    batch = latents(size, 1, device)
    # Fused attention computes its scores again in the backward pass; that is no useful work either.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        phase(batch)["loss"].backward()
    yield {
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "parameters": sum(parameter.numel() for parameter in phase.denoiser.parameters()),
        "flops_per_image": counter.get_total_flops(),
    }


def training(size: Size, device: str, *, compiled: bool, checkpointing: bool) -> Iterator[dict[str, Any]]:
    """Yield a row per size of batch, until memory ends."""
    import torch

    config = settings(size, checkpointing=checkpointing)
    task = second_stage(config, size, device)
    if compiled:
        task.denoiser.compile(backend=size.backend)
    for batch in size.batches:
        torch.compiler.reset()
        try:
            row = steps(task, config, latents(size, batch, device), size.repeats, device)
        except torch.OutOfMemoryError:
            yield {"batch": batch, "out_of_memory": True}
            return
        yield {"batch": batch, "images_per_second": batch / row["seconds"], **row}


def steps(task: Any, config: dict[str, Any], batch: Any, repeats: int, device: str) -> dict[str, float | None]:
    """Return time and memory of the engine's training step on `batch`."""
    import torch

    from frido.cli.build import build
    from frido.engine.ema import Ema
    from frido.engine.not_finite import NotFinite
    from frido.engine.optimization import Optimization

    task.train()
    (phase,) = task.phases()
    budget = {"batch": batch.size, "images": batch.size * 10**6}
    settings = build(config["training"]["denoiser"] | budget)
    optimization = Optimization(
        phase,
        parameters=list(phase.trained()),
        others=[],
        training=settings,
        not_finite=NotFinite(directory=Path(tempfile.gettempdir()), model=task, most=0),
        device=torch.device(device),
    )
    ema = Ema(task, averages=settings.averages)
    seen = 0

    def step() -> None:
        nonlocal seen
        optimization.step(batch, images_seen=seen)
        seen += batch.size
        ema.update(task, images_seen=seen, batch=batch.size)

    return timed(step, repeats, device)


def sampling(size: Size, device: str, *, compiled: bool) -> Iterator[dict[str, Any]]:
    """Yield a row per number of images drawn at once."""
    import torch

    from frido.cli.build import build

    config = settings(size)
    task = second_stage(config, size, device).eval().requires_grad_(False)
    if compiled:
        task.denoiser.compile(backend=size.backend)
    sampler, guidance = (build(config["diffusion"][part]) for part in ("sampler", "guidance"))
    for images in size.images:
        torch.compiler.reset()
        batch = latents(size, images, device)

        def draw(batch: Any = batch) -> None:
            with torch.autocast(device, torch.bfloat16):
                task.generate(
                    batch.annotations,
                    sampler=sampler,
                    guidance=guidance,
                    shapes=size.shapes,
                    seed=0,
                    keys=batch.positions,
                )

        row = timed(draw, size.repeats, device)
        yield {"batch": images, "seconds_per_image": row["seconds"] / images, **row}


def timed(work: Callable[[], None], repeats: int, device: str) -> dict[str, Any]:
    """Return seconds of the first call of `work`, the median of later ones, and the peak of memory in GiB."""
    import torch

    synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None

    def once() -> float:
        synchronize()
        start = time.perf_counter()
        work()
        synchronize()
        return time.perf_counter() - start

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    first = once()
    for _ in range(WARM_UP):
        once()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds = statistics.median(once() for _ in range(repeats))
    gib = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
    return {"seconds": seconds, "first_seconds": first, "gib": gib}


def measure(arm: str, size: Size, device: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of one arm, measured in this process."""
    if arm == FACTS:
        return facts(size, device)
    return (training if arm.startswith("training") else sampling)(size, device, **ARMS[arm])


def apart(arm: str, given: list[str]) -> list[dict[str, Any]]:
    """Return the rows of one arm, measured in a process of its own; what came before it broke off is kept."""
    found = []
    command = [sys.executable, __file__, *given, "--here", arm]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found.append({"arm": arm, **json.loads(line)})
            print(found[-1], file=sys.stderr, flush=True)
    return found if process.returncode == 0 else [*found, {"arm": arm, "failed": process.returncode}]


def show(rows: list[dict[str, Any]], columns: dict[str, Callable[[dict[str, Any]], str]]) -> None:
    """Print a table; a row without numbers says why."""
    print(f"\n| arm | batch | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 2)}")
    for row in rows:
        why = "out of memory" if row.get("out_of_memory") else "failed" if "failed" in row else None
        cells = [why] * len(columns) if why else [cell(row) for cell in columns.values()]
        print(f"| {row['arm']} | {row.get('batch', '–')} | {' | '.join(cells)} |")


def report(known: dict[str, Any], peak: float | None, rows: list[dict[str, Any]]) -> None:
    """Print what was measured as tables, and as one line of JSON."""
    for row in rows:
        if peak and "images_per_second" in row:
            row["share_of_peak"] = row["images_per_second"] * known["flops_per_image"] / (peak * 1e12)
    told = f"{peak:g} TFLOP/s in bf16" if peak else "of an unknown peak (--peak-tflops)"
    print(f"{known['device']}, {told}, torch {known['torch']}")
    print(f"{known['parameters'] / 1e6:.3f} M weights, {known['flops_per_image'] / 1e9:.1f} GFLOPs per trained image")
    cost = {
        "first call, s": lambda row: f"{row['first_seconds']:.1f}",
        "peak memory, GiB": lambda row: "–" if row["gib"] is None else f"{row['gib']:.1f}",
    }
    trained = {
        "images/s": lambda row: f"{row['images_per_second']:.1f}",
        "s per step": lambda row: f"{row['seconds']:.3f}",
        "share of the peak": lambda row: f"{row['share_of_peak']:.1%}" if peak else "–",
    }
    drawn = {
        "s per image": lambda row: f"{row['seconds_per_image']:.3f}",
        "s per call": lambda row: f"{row['seconds']:.3f}",
    }
    for kind, columns in (("training", trained), ("sampling", drawn)):
        if own := [row for row in rows if row["arm"].startswith(kind)]:
            show(own, columns | cost)
    print(json.dumps({**known, "peak_tflops": peak, "rows": rows}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--tiny", action="store_true", help="a small network; compiled without a compiler")
    parser.add_argument("--arm", action="append", choices=list(ARMS), help="some arms only; may be given again")
    parser.add_argument("--batches", type=int, nargs="+", help="of training, in place of 8, 16, 32, ...")
    parser.add_argument("--peak-tflops", type=float, help="of the device in bf16, dense; some are known by name")
    parser.add_argument("--here", choices=[FACTS, *ARMS], help="measure one arm in this process, a JSON line per row")
    arguments = parser.parse_args()
    if arguments.here:
        size = TINY if arguments.tiny else FULL
        size = replace(size, batches=tuple(arguments.batches or size.batches))
        for row in measure(arguments.here, size, arguments.device):
            print(json.dumps(row), flush=True)
        return
    known = apart(FACTS, sys.argv[1:])[0]
    if "failed" in known:
        sys.exit("the network was not built: nothing was measured")
    peak = arguments.peak_tflops or next((peak for name, peak in PEAKS.items() if name in known["device"]), None)
    rows = [row for arm in arguments.arm or ARMS for row in apart(arm, sys.argv[1:])]
    report(known, peak, rows)
    sys.exit(any("failed" in row for row in rows))


if __name__ == "__main__":
    main()
