"""The published PyU-Net f16f8 as the official code runs it and as we do: FLOPs, sampling steps, training steps.

    python benchmarks/second_stage.py flops       # counted, a minute
    python benchmarks/second_stage.py sampling    # DDIM step pairs with guidance, 4 images and 1, fp32 and bf16
    python benchmarks/second_stage.py training    # training steps from latents

A step pair is one step of the coarse chain and one of the fine chain. The official way (`stacked`) denoises both
scales on the 32 x 32 grid and computes what a condition is made of (gate modulations, keys and values) in every call.
Ours (`native`) denoises the coarse scale on its own 16 x 16 grid and computes a condition once for its chain, outside
of the measured steps; `condition` says what that costs. Both arms make one batched call a step with the empty and the
full condition; the official code makes two, which is counted for the FLOPs only in that it is the same number.
The network, its 511.678 M weights and its attention of one head are the same in all arms; 77 tokens of 640 channels.
Every measurement is a process of its own with the same allocator thresholds; arms alternate, a ratio is the median
over pairs.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
SHAPES = [(4, 16, 16), (4, 32, 32)]
SAMPLING: dict[str, dict[str, Any]] = {
    f"{way}, {precision}, {images} image{'s' * (images > 1)}": {"way": way, "precision": precision, "images": images}
    for images in (4, 1)
    for precision in ("fp32", "bf16")
    for way in ("stacked", "native")
}
TRAINING: dict[str, dict[str, Any]] = {
    f"{way}, {precision}, batch {batch}": {"way": way, "precision": precision, "batch": batch}
    for batch in (4, 8)
    for way, precision in (("stacked", "fp32"), ("native", "fp32"), ("native", "bf16"))
}


def network() -> Any:
    """Return the published denoiser; every zero of its initialisation replaced, so that nothing can be left out."""
    import torch

    from frido.cli.build import build
    from frido.cli.compose import compose
    from frido.contracts.context import ContextWidths

    config = compose("run", ["denoiser=pyunet_f16f8"])
    torch.manual_seed(0)
    widths = ContextWidths(tokens=640, map=0, pooled=0)
    denoiser = build(config["denoiser"], channels=[4, 4], context=widths, tells_level=False)
    for parameter in denoiser.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.01)
    return denoiser


def layout(way: str) -> Any:
    from frido.diffusion.layouts.native import Native
    from frido.diffusion.layouts.stacked import Stacked

    return {"stacked": Stacked, "native": Native}[way]()


def calls(denoiser: Any, way: str, batch: int) -> tuple[list[Any], list[Any]]:
    """Return functions that make the condition of each scale, and functions from a condition to a prediction."""
    import torch

    from frido.contracts.context import Context

    grid = layout(way)
    shapes = grid.shapes(SHAPES)
    latents = tuple(torch.randn(batch, *shape) for shape in shapes)
    context = Context(tokens=torch.randn(batch, 77, 640))
    made, predict = [], []
    for scale, noisy in enumerate(latents):
        coarse = grid.coarse(latents[:scale], own=SHAPES)
        made.append(lambda scale=scale, coarse=coarse: denoiser.condition(scale=scale, coarse=coarse, context=context))
        predict.append(lambda condition, noisy=noisy: denoiser(noisy, torch.full((len(noisy),), 500.0), condition))
    return made, predict


def flops() -> None:
    """Print FLOPs of one call per scale (2 per multiplication and addition), batch 1."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    denoiser = network().eval()

    def count(work: Any) -> float:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            work()
        return counter.get_total_flops() / 1e9

    print("| | coarse | fine | step pair |\n|---|---|---|---|")
    print("| official code, as measured on it | 52.8 | 84.8 | 137.6 |")
    pairs = {}
    for way in ("stacked", "native"):
        made, predict = calls(denoiser, way, 1)
        whole = [count(lambda make=make, call=call: call(make())) for make, call in zip(made, predict, strict=True)]
        with torch.no_grad():
            kept = [make() for make in made]
        alone = [count(lambda c=c, call=call: call(c)) for c, call in zip(kept, predict, strict=True)]
        for name, (coarse, fine) in {f"{way}, condition in every call": whole, f"{way}, condition kept": alone}.items():
            pairs[name] = coarse + fine
            print(f"| {name} | {coarse:.1f} | {fine:.1f} | {coarse + fine:.1f} |")
    ratio = pairs["stacked, condition in every call"] / pairs["native, condition kept"]
    print(f"\nstacked with the condition in every call over native with the condition kept: {ratio:.2f}")


def sampling(*, way: str, precision: str, images: int) -> dict[str, float]:
    """Return seconds of a step pair with guidance, and of making its two conditions."""
    import torch

    denoiser = network().eval()
    made, predict = calls(denoiser, way, 2 * images)  # the empty and the full condition
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        start = time.perf_counter()
        kept = [make() for make in made]
        condition_seconds = time.perf_counter() - start

        def pair() -> None:
            for make, call, condition in zip(made, predict, kept, strict=True):
                call(make() if way == "stacked" else condition)

        pair()
        steps = 3 if images > 1 else 6
        start = time.perf_counter()
        for _ in range(steps):
            pair()
        seconds = (time.perf_counter() - start) / steps
    return {"seconds": seconds, "condition": condition_seconds, "gib": peak()}


def training(*, way: str, precision: str, batch: int) -> dict[str, float]:
    """Return seconds of a training step on latents: both scales, AdamW, no average."""
    import torch
    from torch.nn import functional as F

    denoiser = network().train()
    optimizer = torch.optim.AdamW(denoiser.parameters(), lr=1e-6, fused=True)
    made, predict = calls(denoiser, way, batch)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            predictions = [call(make()) for make, call in zip(made, predict, strict=True)]
            loss = sum(F.l1_loss(found.float(), torch.ones_like(found, dtype=torch.float32)) for found in predictions)
        loss.backward()
        optimizer.step()

    step()
    start = time.perf_counter()
    for _ in range(2):
        step()
    return {"seconds": (time.perf_counter() - start) / 2, "gib": peak()}


def peak() -> float:
    """Peak memory of this process, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def alternate(what: str, arms: dict[str, dict[str, Any]], pairs: int) -> dict[str, list[dict[str, float]]]:
    """Measure every arm in a process of its own, all arms in turn, `pairs` times."""
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in arms}
    for pair in range(pairs):
        for arm in arms:
            command = [sys.executable, __file__, what, "--arm", arm]
            answer = subprocess.run(command, env=os.environ | ALLOCATOR, stdout=subprocess.PIPE, check=True, text=True)
            found[arm].append(json.loads(answer.stdout.splitlines()[-1]))
            print(f"pair {pair + 1} of {pairs}, {arm}: {found[arm][-1]}", file=sys.stderr, flush=True)
    return found


def table(found: dict[str, list[dict[str, float]]], *, against: dict[str, str]) -> None:
    """Print each arm beside the arm that it is measured against."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
    print("| arm | s per step | times faster than stacked, median | range | condition, s | peak memory, GiB |")
    print("|---|---|---|---|---|---|")
    for arm, rows in found.items():
        faster = [theirs["seconds"] / ours["seconds"] for theirs, ours in zip(found[against[arm]], rows, strict=True)]
        seconds, memory = (statistics.median(row[key] for row in rows) for key in ("seconds", "gib"))
        condition = f"{statistics.median(r['condition'] for r in rows):.2f}" if "condition" in rows[0] else ""
        spread = f"{min(faster):.2f} to {max(faster):.2f}"
        print(f"| {arm} | {seconds:.2f} | {statistics.median(faster):.2f} | {spread} | {condition} | {memory:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["flops", "sampling", "training"])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--arm", help="measure one arm in this process and print JSON")
    arguments = parser.parse_args()
    if arguments.what == "flops":
        flops()
        return
    arms, measure = (SAMPLING, sampling) if arguments.what == "sampling" else (TRAINING, training)
    if arguments.arm:
        print(json.dumps(measure(**arms[arguments.arm])))
        return
    found = alternate(arguments.what, arms, arguments.pairs)
    against = {arm: arm.replace("native", "stacked") for arm in arms}
    if arguments.what == "training":
        against = {arm: f"stacked, fp32, batch {settings['batch']}" for arm, settings in arms.items()}
    table(found, against=against)


if __name__ == "__main__":
    main()
